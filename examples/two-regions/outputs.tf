output "pipelines" {
  description = "The pipelines by Region: `stream`, `functions`, `tables` and `quarantine_bucket`."
  value = {
    for region, pipeline in { (var.first_region) = module.first, (var.second_region) = module.second } : region => {
      stream                                     = pipeline.stream
      functions                                  = pipeline.functions
      tables                                     = pipeline.tables
      quarantine_bucket                          = pipeline.quarantine_bucket
    }
  }
}
