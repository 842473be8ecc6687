import pytest

from leda_cli.develop import module_docs
from leda_cli.develop.module_docs import BEGIN, END, Unreadable

VARIABLES = """variable "name" {
  description = "A name."
  type        = string
  nullable    = false

  validation {
    condition     = var.name != ""
    error_message = "No."
  }
}

variable "settings" {
  description = <<-EOT
    Settings:
    - `a`: one | two
    - `b`: text that goes on
      in the next line

    Said last.
  EOT
  type = object({
    a = optional(list(string), ["x", "y"])
    b = string
  })
  default  = {}
  nullable = false
}

variable "mode" {
  description = "A mode."
  type        = string
  default     = "fast"
}
"""
OUTPUTS = """output "arn" {
  description = "The ARN."
  value       = local.arn

  # Not a description.
  depends_on = [local.other]
}
"""


def test_tables_hold_every_input_and_output() -> None:
    assert module_docs.tables(VARIABLES, OUTPUTS).splitlines() == [
        "### Inputs",
        "",
        "| name | what it is | type | default |",
        "|---|---|---|---|",
        "| `name` | A name. | `string` | required |",
        "| `settings` | Settings:<br>- `a`: one \\| two<br>- `b`: text that goes on in the next line<br>Said last. "
        '| `object({a = optional(list(string), ["x", "y"]), b = string})` | `{}` |',
        '| `mode` | A mode. | `string` | `"fast"` |',
        "",
        "### Outputs",
        "",
        "| name | what it is |",
        "|---|---|",
        "| `arn` | The ARN. |",
    ]


def test_only_what_lies_between_the_markers_is_written() -> None:
    readme = f"# Title\n\n{BEGIN}\nold\n{END}\n\nafter\n"
    assert (
        module_docs.with_tables(readme, "new") == f"# Title\n\n{BEGIN}\n\nnew\n\n{END}\n\nafter\n"
    )


def test_a_readme_without_markers_is_refused() -> None:
    with pytest.raises(Unreadable, match="no '<!-- inputs"):
        module_docs.with_tables("# Title\n", "new")


def test_a_variable_without_a_description_is_refused() -> None:
    with pytest.raises(Unreadable, match='variable "name" has no description'):
        module_docs.tables('variable "name" {\n  type = string\n}\n', OUTPUTS)
