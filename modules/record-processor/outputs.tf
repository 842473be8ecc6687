output "stream" {
  description = "The stream: `name` and `arn`, for producers."
  value = {
    name = module.stream.name
    arn  = module.stream.arn
  }
}

output "function" {
  description = "The function: `name`, `arn`, `role_name`, `log_group_name`, and `mapping_uuid`, to switch it off and on."
  value       = module.function

  precondition {
    condition     = length(setsubtract(keys(var.settings), module.function.setting_names)) == 0
    error_message = "settings has no ${join(", ", setsubtract(keys(var.settings), module.function.setting_names))}: modules/function lists the attributes of settings."
  }
}

output "quarantine_bucket" {
  description = "The bucket with the records that could not be processed: `name` and `arn`."
  value       = module.quarantine_bucket
}
