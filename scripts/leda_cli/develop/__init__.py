"""What a developer runs in a checkout: local AWS, the packages, Terraform and the checks."""
