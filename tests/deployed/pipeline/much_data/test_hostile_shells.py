"""Local commands in shells that are set up for something else: they do what they always do, and call nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.hostile_shells import OF_BOTO3, OF_TOOLS, all_together, with_url
from support.live_stack import LiveStack
from support.local_command import leda
from support.recorder import Recorder, recording

LOOK = ("watch", "--seconds", "0")
WRITE = ("load", "--messages", "2")
OTHERS = (
    ("verify",),
    ("load", "--messages", "40", "--check"),
    ("demo", "--rounds", "1", "--messages", "40", "--seed", "1"),
    ("redrive", "--dry-run"),
    ("replay", "--from", "1s", "--dry-run"),
    ("totals", "--top", "3", "--by", "Value"),
    ("backfill", "--dry-run"),
    ("erase", "no such total", "--dry-run"),
)


@pytest.fixture
def foreign() -> Iterator[Recorder]:
    """A place that nothing may call."""
    with recording() as recorder:
        yield recorder


@pytest.mark.parametrize("name", OF_BOTO3)
def test_a_local_command_calls_the_local_stack_alone(
    stack: LiveStack, foreign: Recorder, tmp_path: Path, name: str
) -> None:
    shell = with_url(OF_BOTO3[name], foreign.url)
    for command in (LOOK, WRITE):
        done = leda(stack.aws.variables, tmp_path, *command, shell=shell)
        assert done.returncode == 0, done.stdout + done.stderr
    assert foreign.requests == []


@pytest.mark.parametrize("command", OTHERS, ids=[command[0] for command in OTHERS])
def test_every_command_works_in_a_shell_with_all_of_it(
    stack: LiveStack,
    foreign: Recorder,
    tmp_path: Path,
    command: tuple[str, ...],
) -> None:
    shell = with_url(all_together(OF_BOTO3, OF_TOOLS), foreign.url)
    # What other tests have left in the quarantine would be a reason for another exit status.
    with stack.empty_quarantine():
        done = leda(stack.aws.variables, tmp_path, *command, shell=shell)
    assert done.returncode == 0, done.stdout + done.stderr
    assert foreign.requests == []


def test_terraform_plans_nothing_new_in_a_shell_with_all_of_it(
    stack: LiveStack, foreign: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in with_url(all_together(OF_BOTO3, OF_TOOLS), foreign.url).items():
        monkeypatch.setenv(name, value)

    assert stack.aws.terraform.plan_is_empty(), f"see {stack.aws.terraform.log}"
    assert foreign.requests == []


def test_with_aws_the_callers_endpoint_is_used_and_shown_first(
    stack: LiveStack, foreign: Recorder, tmp_path: Path
) -> None:
    done = leda(
        {**stack.aws.variables, "AWS_ENDPOINT_URL": foreign.url},
        tmp_path,
        *WRITE,
        "--aws",
        shell=stack.aws.variables,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr.splitlines()[0].strip() == (
        f"AWS account 000000000000, Region us-east-1, {stack.aws.endpoint}"
    )
    assert foreign.requests == []
