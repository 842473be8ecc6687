output "api_url" {
  description = "URL of the API, without a slash at its end."
  value       = module.api.endpoint
}

output "routes" {
  description = "The routes of the API, and which of them ask for an operator's token."
  value       = { for key, route in local.routes : key => can(route.token) }
}

output "site" {
  description = "The site: its `bucket`, its `url` and its `operators_url`."
  value = {
    bucket        = module.site.bucket.name
    url           = local.site_url
    operators_url = local.operators_url
  }
}

output "sign_in" {
  description = "The operators' sign-in: `user_pool_id`, `client_id`, `issuer`, `authorize_url` and `token_url`."
  value = {
    user_pool_id  = module.operators.user_pool_id
    client_id     = module.operators.client_id
    issuer        = module.operators.issuer
    authorize_url = local.sign_in.authorizeUrl
    token_url     = local.sign_in.tokenUrl
  }
}

output "table" {
  description = "UnifiedTable: `name`, `arn`, `stream_arn` and `index_arns`."
  value       = module.table
}

output "totals_table" {
  description = "The table with the counts: `name` and `arn`."
  value       = module.counts.totals_table
}

output "functions" {
  description = "The functions: `name`, `arn`, `role_name`, `log_group_name`, and `mapping_uuid` of those that read a stream. `update_inventory`, `update_totals`, `check_totals` and `audit_totals` are Map, Reduce, Health and Audit of the counts."
  value = merge(module.http_function, {
    update_inventory    = module.counts.functions.map
    update_totals       = module.counts.functions.reduce
    check_totals        = module.counts.functions.health
    audit_totals        = module.counts.functions.audit
    read_stream         = module.read_stream
    create_vendor_order = module.create_vendor_order
    write_firehose      = module.write_firehose
    expire_orders       = module.expire_orders
  })
}

output "lake" {
  description = "The lake: its `bucket`, `database`, `table`, `workgroup` and `delivery_stream`, and the SQL of its saved `queries` by their names."
  value = {
    bucket          = module.lake.bucket.name
    database        = module.lake.table.database
    table           = module.lake.table.name
    workgroup       = module.lake.workgroup
    delivery_stream = module.lake.stream.name
    queries         = { for name, query in local.queries : name => file("${path.module}/queries/${query.file}") }
  }
}

output "quarantine_bucket" {
  description = "The bucket with the changes that could not be processed: `name` and `arn`."
  value       = module.quarantine_bucket
}
