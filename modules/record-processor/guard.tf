# `terraform destroy` is refused before anything is deleted: the guard depends on everything, so it goes first.
module "deletion_guard" {
  source    = "../deletion-guard"
  protected = var.deletion_protection

  depends_on = [
    module.function,
    module.quarantine_bucket,
    module.stream,
  ]
}
