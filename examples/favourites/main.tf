# Favourites a restaurant, over a table that people write to all along.

# Any table will do that has a stream of new and old images. This one is as applications have it: a row for each favourite.
module "favourites_table" {
  source = "../../modules/table"

  name                = "${var.name_prefix}Favourites"
  hash_key            = { name = "user_id", type = "S" }
  range_key           = { name = "restaurant_id", type = "S" }
  stream_view_type    = "NEW_AND_OLD_IMAGES"
  deletion_protection = var.deletion_protection
}

module "totals" {
  # From another repository: git::https://github.com/<owner>/<repository>.git//modules/aggregation?ref=<tag>
  source = "../../modules/aggregation"

  name_prefix = "${var.name_prefix}Favourites-"
  table = {
    name       = module.favourites_table.name
    arn        = module.favourites_table.arn
    stream_arn = module.favourites_table.stream_arn
  }

  measures = { Favourites = { op = "count" } }
  group_by = { restaurant = { keys = ["restaurant_id"] } }
  indexes  = { top = ["Favourites"] }

  deletion_protection = var.deletion_protection
}
