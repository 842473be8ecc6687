"""`leda prove`: proves a deployed pipeline in the user's own account."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from botocore.exceptions import ClientError

from leda.values.texts import number_of
from leda_cli.base.errors import LedaError, this_command
from leda_cli.base.operations import Operation
from leda_cli.operate.aggregation import Aggregation, MapFunctionOption
from leda_cli.operate.deployed.account import AwsOption, answering
from leda_cli.operate.deployed.refusals import denied_action
from leda_cli.operate.deployed.source_table import TableSize, service_time
from leda_cli.operate.not_live import not_live
from leda_cli.operate.prove import assumptions, function_logs, measurements, price
from leda_cli.operate.prove.deployment import Deployment, log_group
from leda_cli.operate.prove.findings import Finding, Level
from leda_cli.operate.prove.proof import Pipeline, Proof
from leda_cli.operate.prove.report import Report, require_file
from leda_cli.operate.prove.stream_watch import StreamWatch
from leda_cli.operate.prove.trades import MESSAGES, ROOT, SINGLES, totals_of
from leda_cli.operate.stack import NamePrefixOption, Stack
from leda_cli.operate.totals.comparison import difference_lines
from leda_cli.operate.verify import require_comparable, verify

# CloudWatch shows a log line some seconds after it was written.
LOG_SECONDS, LOG_POLL_SECONDS = 40.0, 3.0


def prove(
    yes: Annotated[
        bool, typer.Option("--yes", help="Go on after the checks and the price: send messages.")
    ] = False,
    name_prefix: NamePrefixOption = "",
    write: Annotated[
        Path,
        typer.Option(
            help="The file for `leda scale --measured` and `leda cost --measured`; the report is written beside it."
        ),
    ] = Path("leda-proof.json"),
    map_function: MapFunctionOption = None,
    aws: AwsOption = False,
) -> None:
    """Prove a deployed pipeline: check it, send messages under a root of their own, compare totals, measure, delete.

    If a run is killed, run the command again: it first deletes what the former run left. With --map-function the
    command checks an aggregation over any table and compares its totals, and sends nothing.
    """
    operation = Operation(as_json=False)
    aggregation = Aggregation.find(aws, name_prefix, map_function)
    deployment = Deployment(aggregation, Path.cwd())
    if map_function is not None:
        _any_table(operation, aggregation, deployment, yes)
        if yes:
            verify(while_running=True, map_function=map_function, aws=aws)
        return
    account = aggregation.account
    with answering(account.endpoint):
        pipeline = Pipeline.of(aggregation)
        findings = _check(operation, deployment)
        memory = [found["MemorySize"] for found in deployment.functions.values()]
        cost = price.of_proof(
            account.dynamodb.meta.region_name,
            len(pipeline.schema.levels),
            len(totals_of(pipeline.schema)),
            sum(memory) / len(memory),
        )
    operation.say(
        f"the proof sends {MESSAGES:,} messages under the root {ROOT} and deletes what they made; it costs at most "
        f"${cost.dollars:.2f} at the prices of {cost.region}"
    )
    _require(findings)
    if not yes:
        operation.say(f"nothing was sent; to go on, run {this_command('--yes')}")
        return
    require_file(write)
    with answering(account.endpoint):
        report = _run(operation, pipeline, deployment, findings)
    beside = report.write(write)
    for line in report.markdown():
        operation.screen.print(line, markup=False)
    operation.say(f"written: {write} (for --measured) and {beside} (to paste into an issue)")
    if not report.is_proved:
        raise LedaError(
            "the proof failed: the report above says what was wrong",
            f"run `{aggregation.command('verify')}`, and send the report",
        )


def _any_table(
    operation: Operation, aggregation: Aggregation, deployment: Deployment, yes: bool
) -> None:
    """Check an aggregation without a pipeline, and say what a comparison costs."""
    dynamodb = aggregation.account.dynamodb
    with answering(aggregation.account.endpoint):
        findings = _check(operation, deployment)
        live = aggregation.live()
        require_comparable(live, not_live(aggregation, live))
        tables = (aggregation.source.name, aggregation.totals_table)
        stored = sum(TableSize.of(dynamodb, each).bytes for each in tables)
        cost = price.of_reading(dynamodb.meta.region_name, stored)
    operation.say(
        f"{aggregation.source.name} is yours, so no message is sent: the totals are compared with a sum over it, which "
        f"reads both tables once or twice, for ${cost.dollars:.2f} each time at the prices of {cost.region}"
    )
    _require(findings)
    if not yes:
        operation.say(f"no row was read yet; to go on, run {this_command('--yes')}")


def _check(operation: Operation, deployment: Deployment) -> list[Finding]:
    operation.heading("Checking what was deployed")
    findings = deployment.check()
    for finding in findings:
        operation.say(finding.line())
    return findings


def _require(findings: Sequence[Finding]) -> None:
    wrong = sum(finding.level is Level.WRONG for finding in findings)
    if wrong:
        raise LedaError(
            f"{number_of(wrong, 'check')} found something that makes totals wrong or late, so the proof did not start",
            f"do what the lines above say, and run {this_command()} again",
        )


def _run(
    operation: Operation, pipeline: Pipeline, deployment: Deployment, findings: Sequence[Finding]
) -> Report:
    stack = pipeline.stack
    proof = Proof(pipeline)
    operation.heading(f"Sending messages into {stack.stream}")
    since = service_time(stack.dynamodb, stack.state_table)
    try:
        with operation.progress("deleting what an earlier run may have left"):
            watch = StreamWatch(
                stack.streams, next(iter(pipeline.aggregation.map_mappings.values()))
            )
            left = proof.clear(int(since) * 100)
        if left:
            operation.say(
                number_of(
                    left, "trade of an earlier run was there", "trades of an earlier run were there"
                )
            )
        with operation.progress("messages one by one", total=SINGLES) as advance:
            singles = []
            for single in proof.singles():
                singles.append(single)
                advance()
        with operation.progress("a burst with duplicates and changes, until every total is exact"):
            burst = proof.burst()
        is_disturbed = bool(burst.wrong) and proof.is_disturbed()
        with operation.progress("deleting every trade, until every total is 0"):
            deleted = proof.delete()
        with operation.progress("reading the logs and the stream"):
            logs = _logs(operation, stack, deployment, since)
            seen = [
                assumptions.of_stream(watch.records(proof.last_version)),
                *assumptions.of_logs(logs),
            ]
        with operation.progress("removing the rows of the deleted trades"):
            rows_left = proof.remove_rows()
    except KeyboardInterrupt:
        operation.say(
            f"interrupted: what was sent is still there, under the root {ROOT}; the next run deletes it"
        )
        raise typer.Exit(130) from None
    for outcome in (burst, deleted):
        for line in difference_lines(outcome.wrong):
            operation.say(line)
    if is_disturbed:
        raise LedaError(
            "another run of `leda prove` has sent messages of the same trades at the same time",
            "let one run end before the next one begins",
        )
    if rows_left:
        operation.say(
            f"{stack.state_table} keeps {number_of(rows_left, 'row')} of deleted trades, which changes no total: your "
            "credentials lack dynamodb:DeleteItem"
        )
    return Report(
        f"leda prove on {'local AWS' if stack.endpoint else stack.dynamodb.meta.region_name}, "
        f"{datetime.now(UTC):%Y-%m-%d}",
        _deployed(deployment),
        findings,
        burst,
        deleted,
        rows_left,
        seen,
        Counter(error for log in logs.values() for error in log.errors),
        measurements.figures(logs, singles, *_settings(deployment)),
        measurements.observations(logs, singles, burst),
    )


def _logs(
    operation: Operation, stack: Stack, deployment: Deployment, since: float
) -> Mapping[str, function_logs.Log]:
    """Each function's log, read until two reads in a row give the same; {} if the credentials lack the right."""
    groups = {stage: log_group(found) for stage, found in deployment.functions.items()}
    deadline, before = time.monotonic() + LOG_SECONDS, -1
    while True:
        try:
            logs = {
                stage: function_logs.read(stack.logs, group, since)
                for stage, group in groups.items()
            }
        except ClientError as error:
            action = denied_action(error)
            if action is None:
                raise
            operation.say(f"the logs were not read: your credentials lack {action}")
            return {}
        count = sum(len(log.invocations) + len(log.errors) for log in logs.values())
        is_whole = all(log.invocations for log in logs.values()) and count == before
        if is_whole or time.monotonic() > deadline:
            return logs
        before = count
        time.sleep(LOG_POLL_SECONDS)


def _deployed(deployment: Deployment) -> dict[str, str]:
    found = deployment.functions["map"]
    memory = {stage: each["MemorySize"] for stage, each in deployment.functions.items()}
    return {
        "runtime": found.get("Runtime", "unknown"),
        "architecture": ", ".join(found.get("Architectures", ["unknown"])),
        "memory (MB)": " ".join(f"{stage} {size}" for stage, size in memory.items()),
        "AWS provider": deployment.provider or "unknown",
        "code": " ".join(
            f"{stage} {each['CodeSha256'][:8]}" for stage, each in deployment.functions.items()
        ),
    }


def _settings(deployment: Deployment) -> tuple[Mapping[str, float], int]:
    """Each stage's batching window in seconds, and State's threads."""
    windows = {
        stage: float(found[0].get("MaximumBatchingWindowInSeconds", 0))
        for stage, found in deployment.mappings.items()
    }
    variables = deployment.functions["state"]["Environment"]["Variables"]
    return windows, int(variables.get("WRITE_THREADS", 4))
