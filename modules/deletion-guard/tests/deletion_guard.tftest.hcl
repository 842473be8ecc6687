variables {
  protected = true
}

run "is_on_while_the_protection_is" {
  assert {
    condition     = output.protected
    error_message = "The guard must know of the protection."
  }
}

# Otherwise the test's own destroy is refused.
run "lets_go_once_the_protection_is_lifted" {
  variables {
    protected = false
  }

  assert {
    condition     = !output.protected
    error_message = "The apply must lift the protection in place."
  }
}
