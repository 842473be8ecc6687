output "id" {
  description = "ID of the API."
  value       = aws_apigatewayv2_api.this.id
}

output "endpoint" {
  description = "URL of the API, without a slash at its end."
  value       = aws_apigatewayv2_api.this.api_endpoint

  # A caller that learns the address finds the routes there.
  depends_on = [aws_apigatewayv2_stage.this, aws_lambda_permission.api]
}

output "log_group_name" {
  description = "Name of the access log's group."
  value       = aws_cloudwatch_log_group.access.name
}
