output "parameter_table" {
  description = "ParameterTable: `name` and `arn`."
  value       = module.parameter_table
}

output "generator" {
  description = "The generator: `name`, `arn`, `role_name` and `log_group_name`."
  value       = module.generator

  precondition {
    condition     = length(setsubtract(keys(var.settings), module.generator.setting_names)) == 0
    error_message = "settings has no ${join(", ", setsubtract(keys(var.settings), module.generator.setting_names))}: modules/function lists the attributes of settings."
  }
}

output "schedule_rule_name" {
  description = "Name of the EventBridge rule that starts the generator."
  value       = aws_cloudwatch_event_rule.schedule.name
}
