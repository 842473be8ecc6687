output "user_pool_id" {
  description = "ID of the user pool."
  value       = aws_cognito_user_pool.this.id
}

output "user_pool_arn" {
  description = "ARN of the user pool."
  value       = aws_cognito_user_pool.this.arn
}

output "client_id" {
  description = "ID of the app client, which the tokens are made for."
  value       = aws_cognito_user_pool_client.page.id
}

output "issuer" {
  description = "Issuer of the tokens, as a JWT authorizer wants it."
  value       = local.issuer
}

output "sign_in_url" {
  description = "Where the sign-in page is: `/oauth2/authorize` and `/oauth2/token` are under it."
  value       = "https://${aws_cognito_user_pool_domain.this.domain}.${local.sign_in_host}"
}
