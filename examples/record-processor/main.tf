# Two record processors: one as it comes, with the names of the text, which logs what it reads; and one with a `process` of
# one's own, readings/process.py, which keeps each sensor's newest reading.

module "records" {
  # From another repository: git::https://github.com/<owner>/<repository>.git//modules/record-processor?ref=<tag>
  source = "../../modules/record-processor"

  name_prefix         = var.name_prefix
  shard_count         = 1
  deletion_protection = var.deletion_protection
}

module "readings" {
  source = "../../modules/record-processor"

  name_prefix = "${var.name_prefix}Readings-"

  # `make build` makes it of readings/; from another repository: scripts/build --process readings=<folder>
  package = "readings"

  environment = { READINGS_TABLE = module.readings_table.name }

  policy_statements = [{
    sid       = "Store"
    actions   = ["dynamodb:PutItem"]
    resources = [module.readings_table.arn]
  }]

  shard_count         = 1
  deletion_protection = var.deletion_protection
}

module "readings_table" {
  source = "../../modules/table"

  name                = "${var.name_prefix}Readings"
  hash_key            = { name = "sensor", type = "S" }
  deletion_protection = var.deletion_protection
}
