"""What a developer runs in a checkout: local AWS, packages, Terraform, checks and the documentation.

local             `leda setup`, `up`, `down`, `status` and `clean`; local AWS for the tests
instance          one emulator of AWS: start it, find it again, stop it
localstack        LocalStack as such an instance; everything but the shop runs on it
ministack         MiniStack as such an instance, for the shop; ministack_server is the program that it runs
toolchain         installs what local AWS runs on, and the tools of the checks
environments      virtual environments, each synced from a lock file by uv
terraform         Terraform's version, its provider, and `tflocal` on a root module
shared_provider   one process of the AWS provider for many runs of Terraform that touch no AWS

packages          `leda build`: the functions' deployment packages
wheels            the third-party wheels in the packages: their lock and their download
process_function  checks the `process` function of a record processor
publishing        uploads packages to S3
release           `leda release`: checks, builds and tags a version

checks            `leda test`, `lint` and `fmt`
site              `leda docs`, and the checks of the pages' words and links; site_hooks runs in mkdocs
module_docs       writes the tables of inputs and outputs in the modules' READMEs
hcl               reads Terraform's files
"""
