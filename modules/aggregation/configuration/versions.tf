terraform {
  # 1.9 is the first version whose validation blocks may refer to other variables.
  required_version = ">= 1.9"
}
