"""The commands that a demo suggests at its end."""

import io

import pytest

from leda_cli.base.output import Screen
from leda_cli.demos import what_next
from leda_cli.demos.what_next import say_what_next

PUT = f"printf x | aws kinesis put-record --data fileb:///dev/stdin {'x' * 80}"
VERIFY = ".venv/bin/leda verify --aws [x]"
ENV = "source .local/env"


def _shown(
    commands: tuple[str, ...], cli: str | None, monkeypatch: pytest.MonkeyPatch
) -> list[str]:
    output = io.StringIO()
    screen = Screen(file=output, width=40, soft_wrap=True)
    monkeypatch.setattr(what_next, "console", screen)
    monkeypatch.setattr("leda_cli.base.output.console", screen)
    monkeypatch.setattr("leda_cli.demos.what_next.shutil.which", lambda _name: cli)
    say_what_next("http://127.0.0.1:4566", "the example", commands)
    return [line.strip() for line in output.getvalue().splitlines()]


def test_commands_are_suggested_in_their_order_where_the_aws_cli_is_installed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lines = _shown((PUT, VERIFY), "/usr/bin/aws", monkeypatch)
    assert [line for line in lines if line in (ENV, PUT, VERIFY)] == [ENV, PUT, VERIFY]
    assert not any("AWS CLI" in line for line in lines)


def test_without_the_aws_cli_its_commands_come_last_and_a_line_says_what_they_need(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lines = _shown((PUT, VERIFY), None, monkeypatch)
    (notice,) = (place for place, line in enumerate(lines) if "With the AWS CLI" in line)
    assert lines.index(VERIFY) < notice < lines.index(ENV) < lines.index(PUT)


@pytest.mark.parametrize("cli", [None, "/usr/bin/aws"])
def test_commands_of_leda_alone_need_nothing_else(
    cli: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = _shown((VERIFY,), cli, monkeypatch)
    assert VERIFY in lines
    assert ENV not in lines
