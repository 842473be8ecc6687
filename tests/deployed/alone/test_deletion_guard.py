"""`terraform destroy` fails before it deletes anything while `deletion_protection` is on."""

import pytest

from leda_cli.base.errors import LedaError
from leda_cli.demos.examples import ExampleAws
from leda_cli.demos.play_record_processor import Processor
from support.live_aws import BareAws, wait_for

EXAMPLE = "record-processor"


def apply(example: ExampleAws, protection: str) -> None:
    terraform = example.terraform
    terraform.run(
        *("apply", "-no-color", "-input=false", "-auto-approve", "-compact-warnings"),
        *(f"-var-file={terraform.variables}", "-var", f"deletion_protection={protection}"),
    )


def assert_processes(records: Processor, text: bytes) -> None:
    numbers = records.put([("k", text)])
    wait_for("the record's line", lambda: records.logged(numbers))


def test_destroy_deletes_nothing_while_the_deletion_protection_is_on(
    alone: BareAws, example: ExampleAws
) -> None:
    records = Processor(example, "records")
    apply(example, "true")
    assert_processes(records, b"before")
    before = alone.everything()

    with pytest.raises(LedaError, match="so nothing was deleted"):
        example.terraform.destroy()

    now = alone.everything()
    assert [(each["UUID"], each["State"]) for each in now.pop("mappings")] == [
        (each["UUID"], each["State"]) for each in before.pop("mappings")
    ]
    assert now == before
    assert_processes(records, b"after")

    apply(example, "false")
    example.terraform.destroy()
    assert alone.everything() == {}
