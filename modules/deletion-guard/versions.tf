terraform {
  # The other modules need it: https://developer.hashicorp.com/terraform/language/resources/terraform-data is built in since 1.4.
  required_version = ">= 1.9"
}
