# What depends on a resource is destroyed before it. So a guard that depends on everything is the first to go, and where it fails,
# nothing else is touched: no mapping, no stream, no table. Only `self` is known to a provisioner that runs on destroy, hence `input`.
# https://developer.hashicorp.com/terraform/language/resources/provisioners/syntax#destroy-time-provisioners
resource "terraform_data" "this" {
  input = { protected = var.protected }

  provisioner "local-exec" {
    when    = destroy
    quiet   = true
    command = self.input.protected ? "echo deletion_protection is true, so nothing was deleted. Apply deletion_protection = false first. >&2 && exit 1" : "exit 0"
  }
}
