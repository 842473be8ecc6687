terraform {
  # 1.9 is the first version whose validation blocks may refer to other variables.
  required_version = ">= 1.9"

  required_providers {
    aws = {
      source = "hashicorp/aws"
      # The tests run with 5.100 only. 6.29 to 6.34 fail to plan tables with keys like ours; docs/upgrading.md says what is known of 6.
      version = ">= 5.100, < 7.0, != 6.29.0, != 6.30.0, != 6.31.0, != 6.32.0, != 6.32.1, != 6.33.0, != 6.34.0"
    }
  }
}
