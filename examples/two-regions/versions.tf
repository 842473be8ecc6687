terraform {
  # 1.9 is the first version whose validation blocks may refer to other variables.
  required_version = ">= 1.9"

  required_providers {
    aws = {
      source = "hashicorp/aws"
      # 5.100 is the version the tests run with. Nothing used here changes in 6; 7 may.
      version = ">= 5.100, < 7.0"
    }
  }
}
