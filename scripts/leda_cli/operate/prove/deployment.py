"""Reads what is deployed, and runs every check over it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from leda.engine.audit.health import current_stream
from leda_cli.operate.aggregation import Aggregation
from leda_cli.operate.deployed.functions import mappings_of
from leda_cli.operate.deployed.stream_shards import shards_of
from leda_cli.operate.not_live import not_live
from leda_cli.operate.prove import alarms, mapping_checks, rights, versions
from leda_cli.operate.prove.findings import Finding, Level, checked
from leda_cli.operate.stack import Stack
from leda_cli.operate.verify import danger_lines, health_of


class Deployment:
    """The deployment to check: an aggregation, and the pipeline before it if there is one. Changes nothing."""

    def __init__(self, aggregation: Aggregation, folder: Path) -> None:
        """`folder`: where to look for the Terraform configuration that was applied."""
        self._of = aggregation
        self._folder = folder
        self._account = account = aggregation.account
        self._stack = account if isinstance(account, Stack) else None
        self._uuids = {"map": [*aggregation.map_mappings], "reduce": [aggregation.reduce_mapping]}
        if self._stack:
            self._uuids["state"] = [self._stack.state_mapping]
        self.provider = versions.provider(folder)

    @cached_property
    def functions(self) -> Mapping[str, Mapping[str, Any]]:
        """GetFunctionConfiguration's answer for each stage."""
        get = self._account.lambdas.get_function_configuration
        return {stage: dict(get(FunctionName=name)) for stage, name in self._of.functions.items()}

    @cached_property
    def mappings(self) -> Mapping[str, Sequence[Mapping[str, Any]]]:
        """GetEventSourceMapping's answers for each stage; only Map may have several mappings."""
        get = self._account.lambdas.get_event_source_mapping
        return {
            stage: [dict(get(UUID=uuid)) for uuid in uuids] for stage, uuids in self._uuids.items()
        }

    def check(self) -> list[Finding]:
        """Every finding, in the order of docs/proving-an-account.md. Raises the client's error."""
        return [
            *checked("windows, filters and retries of the mappings", self._mappings),
            *checked("streams and indexes of the tables", self._tables),
            *checked("the configuration is live, and no rebuild is open", self._health),
            *checked("rights of the functions' roles", self._rights),
            *checked("concurrent executions", self._quotas),
            *checked("readers of the streams", self._readers),
            *checked("alarms, and who hears of them", self._alarms),
            *checked("the functions' code", self._code),
            *versions.provider_findings(self.provider),
        ]

    def _mappings(self) -> Iterator[Finding]:
        for found in self.mappings["map"]:
            yield from mapping_checks.exactly_once_mapping(self._of.map_function, found)
            yield from mapping_checks.map_filter(self._of.map_function, found)
        (found,) = self.mappings["reduce"]
        yield from mapping_checks.exactly_once_mapping(self._of.reduce_function, found)
        yield from mapping_checks.reduce_filter(self._of.reduce_function, found)
        if self._stack:
            (found,) = self.mappings["state"]
            hours = self._stream_summary(self._stack)["RetentionPeriodHours"]
            name = self._stack.functions["state"]
            yield from mapping_checks.state_mapping(name, found, hours)

    def _tables(self) -> Iterator[Finding]:
        yield from mapping_checks.source_stream(self._table(self._of.source.name))
        yield from mapping_checks.reduce_table(self._table(self._of.reduce_table))

    def _health(self) -> Iterator[Finding]:
        for line in danger_lines(self._of, health_of(self._of)):
            yield Finding(Level.WRONG, line)
        pending = not_live(self._of, self._of.live())
        for line in pending.lines():
            yield Finding(Level.WRONG if pending.is_first else Level.ADVICE, line)

    def _rights(self) -> Iterator[Finding]:
        registry = self._table(self._of.registry_table)["TableArn"]
        reduce_table = self._table(self._of.reduce_table)
        needed = {
            "map": rights.of_map(
                next(iter(self._of.map_mappings.values())), reduce_table["TableArn"], registry
            ),
            "reduce": rights.of_reduce(
                reduce_table["LatestStreamArn"],
                self._table(self._of.totals_table)["TableArn"],
                registry,
            ),
        }
        if self._stack:
            table = self._table(self._stack.state_table)["TableArn"]
            needed["state"] = rights.of_state(self._stack.stream_arn, table)
        roles = {}
        for stage, found in self.functions.items():
            name = found["FunctionName"]
            # arn:<partition>:lambda:<Region>:<account>:function:<name>
            partition, _, region, account = found["FunctionArn"].split(":")[1:5]
            group = f"arn:{partition}:logs:{region}:{account}:log-group:{log_group(found)}"
            bucket = f"arn:{partition}:s3:::{self._of.quarantine_bucket}"
            common = rights.of_every_function(name, bucket, group)
            roles[name] = (found["Role"], [*needed[stage], *common])
        yield from rights.too_few(self._account.iam, roles)

    def _quotas(self) -> Iterator[Finding]:
        lambdas, streams = self._account.lambdas, self._account.streams
        table_streams = {
            self._of.map_function: next(iter(self._of.map_mappings.values())),
            self._of.reduce_function: current_stream(self._account.dynamodb, self._of.reduce_table),
        }
        # A shard that is still written to has no last sequence number.
        wanted = {
            function: sum(
                "EndingSequenceNumber" not in shard["SequenceNumberRange"]
                for shard in shards_of(streams, stream)
            )
            for function, stream in table_streams.items()
        }
        if self._stack:
            at_a_time = self.mappings["state"][0].get("ParallelizationFactor", 1)
            shards = self._stream_summary(self._stack)["OpenShardCount"]
            wanted[self._stack.functions["state"]] = shards * at_a_time
        reserved = {}
        for function in self._of.functions.values():
            answer = lambdas.get_function_concurrency(FunctionName=function)
            if "ReservedConcurrentExecutions" in answer:
                reserved[function] = answer["ReservedConcurrentExecutions"]
        yield from mapping_checks.concurrency(
            dict(lambdas.get_account_settings()), wanted, reserved
        )

    def _readers(self) -> Iterator[Finding]:
        streams = [
            *self._of.map_mappings.values(),
            current_stream(self._account.dynamodb, self._of.reduce_table),
        ]
        for stream in streams:
            found = mappings_of(self._account.lambdas, EventSourceArn=stream)
            names = sorted({each["FunctionArn"].partition(":function:")[2] for each in found})
            yield from mapping_checks.readers(stream, names)

    def _alarms(self) -> Iterator[Finding]:
        watched = [
            each
            for stage, function in self._of.functions.items()
            for each in alarms.of_function(function, self._uuids[stage])
        ]
        found = alarms.every_alarm(self._account.cloudwatch)
        yield from alarms.unwatched(found, watched)
        own = [alarm for alarm in found if any(each.is_of(alarm) for each in watched)]
        yield from alarms.unheard(self._account.sns, own)

    def _code(self) -> Iterator[Finding]:
        by_name = {found["FunctionName"]: found for found in self.functions.values()}
        yield from versions.runtimes(by_name)
        yield from versions.packages(self._folder, self.functions)

    def _table(self, name: str) -> dict[str, Any]:
        return dict(self._account.dynamodb.describe_table(TableName=name)["Table"])

    def _stream_summary(self, stack: Stack) -> dict[str, Any]:
        answer = self._account.kinesis.describe_stream_summary(StreamName=stack.stream)
        return dict(answer["StreamDescriptionSummary"])


def log_group(function: Mapping[str, Any]) -> str:
    """The log group of a function (GetFunctionConfiguration's answer)."""
    found = function.get("LoggingConfig", {}).get("LogGroup")
    return str(found or f"/aws/lambda/{function['FunctionName']}")
