# The same pipeline in two Regions of one account, in one apply. Each has producers, messages and totals of its own, and
# the names are the same in both: a stream is IncomingDataStream wherever one looks.

provider "aws" {
  alias  = "first"
  region = var.first_region
}

provider "aws" {
  alias  = "second"
  region = var.second_region
}

module "first" {
  # From another repository: git::https://github.com/<owner>/<repository>.git//modules/aggregation-pipeline?ref=<tag>
  source    = "../../modules/aggregation-pipeline"
  providers = { aws = aws.first }

  name_prefix         = var.name_prefix
  deletion_protection = var.deletion_protection
}

module "second" {
  source    = "../../modules/aggregation-pipeline"
  providers = { aws = aws.second }

  name_prefix         = var.name_prefix
  deletion_protection = var.deletion_protection

  # IAM roles and dashboards are the account's: of each name there is one, whatever the Region. The bucket's name holds the
  # Region by itself, and all other names are the Region's own.
  settings = { global_name_suffix = "-${var.second_region}" }
}
