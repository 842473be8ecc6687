variable "bucket_name" {
  description = "Name of the bucket with the files, and of what belongs to it in CloudFront. It must be unique in all of AWS."
  type        = string
  nullable    = false

  validation {
    # CloudFront's names have up to 64 characters, a bucket's up to 63.
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", var.bucket_name))
    error_message = "A bucket's name has 3 to 63 lower-case letters, digits or hyphens."
  }
}

variable "directory" {
  description = "Folder with the files, with an `index.html`, and a `404.html` that is shown for a path where nothing is."
  type        = string
  nullable    = false

  validation {
    condition     = fileexists("${var.directory}/index.html")
    error_message = "The folder has no index.html."
  }

  validation {
    condition     = fileexists("${var.directory}/404.html")
    error_message = "The folder has no 404.html, which is shown for a path where nothing is."
  }
}

variable "files" {
  description = "Further files, which Terraform makes: content by name, like `config.json`. One of these takes the place of a file of its name in the folder."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "connect_sources" {
  description = "Origins besides its own that the pages may call, like `https://api.example.org` or `https://*.api.example.org`, for the content security policy."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for source in var.connect_sources : can(regex("^https://([*][.][^/*;' ]+[.])?[^/*;' .]+[.][^/*;' ]+$", source))])
    error_message = "Each source is an https origin, like https://api.example.org or https://*.api.example.org: no path, and no wildcard elsewhere."
  }
}

variable "cloudfront" {
  description = "Whether CloudFront serves the files. Without CloudFront only principals with a right to read the bucket can read them."
  type        = bool
  default     = true
  nullable    = false
}

variable "deletion_protection" {
  description = "Whether `terraform destroy` is refused while the bucket holds anything, old versions too."
  type        = bool
  default     = true
  nullable    = false
}

variable "kms_key_arn" {
  description = "ARN of a customer-managed KMS key that encrypts the files; its policy must let CloudFront (`cloudfront.amazonaws.com`) decrypt with it. `null`: S3's own keys (AES256)."
  type        = string
  default     = null
}

variable "tags" {
  description = "Tags for all resources that take tags."
  type        = map(string)
  default     = {}
  nullable    = false
}
