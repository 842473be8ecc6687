"""The commands that an example's demo suggests at its end."""

import io
from types import SimpleNamespace
from typing import Any

import pytest

from leda_cli.base.output import Screen
from leda_cli.demos import what_next
from leda_cli.demos.what_next import say_what_next


@pytest.mark.parametrize("cli", [None, "/usr/bin/aws"])
def test_commands_of_the_aws_cli_are_suggested_where_it_is_installed(
    cli: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = io.StringIO()
    screen = Screen(file=output, width=40, soft_wrap=True)
    monkeypatch.setattr(what_next, "console", screen)
    monkeypatch.setattr("leda_cli.base.output.console", screen)
    monkeypatch.setattr("leda_cli.demos.what_next.shutil.which", lambda _name: cli)
    aws: Any = SimpleNamespace(endpoint="http://127.0.0.1:4566", name="scores")
    long = f"printf x | aws kinesis put-record --data fileb:///dev/stdin {'x' * 80}"

    say_what_next(aws, (long, ".venv/bin/leda verify [x]"))

    lines = [line.strip() for line in output.getvalue().splitlines()]
    expected = ["source .local/env", long, ".venv/bin/leda verify [x]", "make demo EXAMPLE=scores"]
    assert [line for line in lines if line in expected] == [
        each for each in expected if cli or each != long
    ]
