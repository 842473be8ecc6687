# Counters over a table of customer feedback: a day, a source, a category, a tag and an hour.
# A row:
#   {"id": "f-1", "date": "2026-08-01", "created_at": 1785589500, "source_platform": "web", "region": "EMEA", "urgency": "high",
#    "category": "delivery", "sentiment_label": "negative", "sentiment_score": -0.75, "tags": ["late", "driver"]}

# Any table will do that has a stream of new and old images.
module "feedback_table" {
  source = "../../modules/table"

  name                = "${var.name_prefix}Feedback"
  hash_key            = { name = "id", type = "S" }
  stream_view_type    = "NEW_AND_OLD_IMAGES"
  deletion_protection = var.deletion_protection
}

module "totals" {
  # From another repository: git::https://github.com/<owner>/<repository>.git//modules/aggregation?ref=<tag>
  source = "../../modules/aggregation"

  name_prefix = "${var.name_prefix}Feedback-"
  table = {
    name       = module.feedback_table.name
    arn        = module.feedback_table.arn
    stream_arn = module.feedback_table.stream_arn
  }
  backfill = "none" # The table is made in the same apply: there is nothing in it to count first.

  measures = {
    Count     = { op = "count" }
    Sentiment = { op = "sum", field = "sentiment_score" } # the average is Sentiment / Count
  }

  group_by = {
    daily    = { keys = ["date"] }
    source   = { keys = ["source_platform", "date"], missing = { source_platform = "unknown" } }
    urgent   = { keys = ["date"], where = { urgency = ["high"] } }
    tags     = { keys = ["tags[]", "date"], missing = { tags = "none" } }
    hourly   = { keys = ["region", "created_at:hour"], missing = { region = "unknown" } }
    category = { keys = ["category", "sentiment_label"], missing = { category = "other", sentiment_label = "none" }, rollup = true }
  }

  deletion_protection = var.deletion_protection
}
