variable "protected" {
  description = "Whether a destroy is refused. What counts is the value of the last apply."
  type        = bool
  nullable    = false
}
