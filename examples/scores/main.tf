# Scores by user with the names of its text: GameScoreRecords, GameScoresByUser, AggregateScoresByUser.

module "scores" {
  # From another repository: git::https://github.com/<owner>/<repository>.git//modules/score-aggregation?ref=<tag>
  source = "../../modules/score-aggregation"

  name_prefix         = var.name_prefix
  deletion_protection = var.deletion_protection
}
