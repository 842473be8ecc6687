output "api_url" {
  description = "URL of the API, without a slash at its end."
  value       = module.shop.api_url
}

output "site" {
  description = "The site: its `bucket`, its `url` and its `operators_url`."
  value       = module.shop.site
}

output "sign_in" {
  description = "The operators' sign-in: `user_pool_id`, `client_id`, `issuer`, `authorize_url` and `token_url`."
  value       = module.shop.sign_in
}

output "table" {
  description = "UnifiedTable."
  value       = module.shop.table
}

output "totals_table" {
  description = "The table with what is ordered and sold."
  value       = module.shop.totals_table
}

output "functions" {
  description = "The functions."
  value       = module.shop.functions
}

output "lake" {
  description = "The lake: its `bucket`, `database`, `table`, `workgroup` and `delivery_stream`, and the SQL of its saved `queries`."
  value       = module.shop.lake
}

output "quarantine_bucket" {
  description = "The bucket with the changes that could not be processed."
  value       = module.shop.quarantine_bucket
}
