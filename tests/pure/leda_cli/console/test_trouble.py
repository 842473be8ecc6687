"""The console's alarms with the runbook's advice, the quarantine, and the estimated cost."""

from __future__ import annotations

import base64
import inspect
import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from leda.engine.group_by.configuration import Configuration
from leda_cli.console import trouble as module
from leda_cli.console.costs import Costs, Rate
from leda_cli.console.trouble import MOST_OBJECTS, Alarms, Quarantine, runbook
from leda_cli.operate.backfill_command import backfill
from leda_cli.operate.rebuild_command import rebuild
from leda_cli.operate.redrive import redrive
from leda_cli.operate.verify import verify
from support.console import Calling, at, site
from support.pipeline import CONFIGURATION

LIVE = Configuration.from_json(CONFIGURATION)
RUNBOOK = runbook()


def test_the_runbook_has_advice_for_every_alarm_of_the_console() -> None:
    alarms = Alarms(site(LIVE), RUNBOOK)
    found = [
        *alarms.of_figures({"map.errors": 3, "map.invocations": 9, "map.throttles": 1}, 15),
        *alarms.of_age(90.0),
        *alarms.of_verification(2),
    ]
    assert [each.name for each in found] == [
        "MapLambda-errors",
        "MapLambda-throttles",
        "MapLambda-iterator-age",
        "AuditLambda-drift",
    ]
    assert all(each.advice for each in found)
    assert found[0].detail.startswith("3 of 9 invocations failed in the last 15 s.")
    assert found[0].advice
    assert found[0].advice.command == "aws logs tail /aws/lambda/MapLambda --since 15m"
    for kind in ("rebuild-open", "mappings-off", "streams-not-settled"):
        assert RUNBOOK[f"HealthLambda-{kind}"].command, kind
    assert RUNBOOK["quarantined"].command == "leda redrive"
    assert RUNBOOK["AuditLambda-drift"].command == "leda rebuild --dry-run"


def test_a_command_of_the_runbook_gets_the_options_of_this_instance() -> None:
    own = site(LIVE, is_local=False, arguments=["--aws", "--name-prefix", "T-"])
    (found,) = Alarms(own, RUNBOOK).of_verification(1)
    assert found.advice
    assert found.advice.command == "leda rebuild --dry-run --aws --name-prefix T-"


def test_every_command_that_the_runbook_advises_for_a_table_has_the_option_map_function() -> None:
    commands = {
        advice.command.split()[1]
        for alarm, advice in RUNBOOK.items()
        if advice.command.startswith("leda ") and not alarm.startswith("StateLambda")
    }
    assert commands == {"backfill", "rebuild", "redrive", "verify"}
    for function in (backfill, rebuild, redrive, verify):
        assert "map_function" in inspect.signature(function).parameters


def test_without_failures_there_is_no_alarm() -> None:
    alarms = Alarms(site(LIVE), RUNBOOK)
    assert not [*alarms.of_figures({"map.errors": 0, "map.invocations": 9}, 15)]
    assert not [*alarms.of_age(0.0), *alarms.of_age(None), *alarms.of_verification(0)]


class CloudWatch(Calling):
    """Alarms in the state ALARM: two of the pipeline, one of another application."""

    def get_paginator(self, _name: str) -> Any:
        return self

    def paginate(self, **request: Any) -> Iterator[Any]:
        assert request["StateValue"] == "ALARM"
        names = ("MapLambda-errors", "HealthLambda-failed", "Other-MapLambda-errors")
        yield {
            "MetricAlarms": [
                {"AlarmName": name, "StateReason": "why", "StateUpdatedTimestamp": at(5)}
                for name in names
            ]
        }


def test_an_accounts_alarms_are_read_from_cloudwatch() -> None:
    found = Alarms(site(LIVE, is_local=False, cloudwatch=CloudWatch()), RUNBOOK).of_account()
    assert [each.name for each in found] == ["MapLambda-errors", "HealthLambda-failed"]
    assert found[0].since == 5
    assert found[1].advice == RUNBOOK["HealthLambda-failed"]


def test_each_finding_of_health_has_an_alarm(monkeypatch: pytest.MonkeyPatch) -> None:
    health = SimpleNamespace(
        is_rebuild_open=True,
        mappings_off={"MapLambda": "Disabled", "ReduceLambda": "Disabled"},
        streams_not_settled={"map": "arn"},
    )
    monkeypatch.setattr(module, "health_of", lambda _: health)
    lines = ["a rebuild is open", "map is off", "reduce is off", "a new stream"]
    monkeypatch.setattr(module, "danger_lines", lambda *_: iter(lines))
    alarms = Alarms(site(LIVE), RUNBOOK)
    assert [(each.name, each.detail) for each in alarms.of_health()] == [
        ("HealthLambda-rebuild-open", "a rebuild is open"),
        ("HealthLambda-mappings-off", "map is off"),
        ("HealthLambda-mappings-off", "reduce is off"),
        ("HealthLambda-streams-not-settled", "a new stream"),
    ]
    # The rebuild ends between the two reads.
    monkeypatch.setattr(module, "danger_lines", lambda *_: iter(lines[1:]))
    assert [each.detail for each in alarms.of_health()] == lines[1:]


class S3(Calling):
    """A quarantine bucket; counts what is read."""

    def __init__(self) -> None:
        super().__init__()
        self.objects: dict[str, bytes] = {}
        self.read = 0

    def put(self, number: int, data: bytes) -> str:
        key = f"StateLambda/2026/03/{1 + number // 1000:02}/{number:06}.json"
        self.objects[key] = json.dumps(
            {
                "reason": f"reason {number}",
                "stream": "s",
                "shard": "0",
                "sequenceNumber": str(number),
                "eventID": f"0:{number}",
                "arrived": at(number).isoformat(),
                "data": base64.b64encode(data).decode(),
                "dataLength": len(data),
            }
        ).encode()
        return key

    def get_paginator(self, _name: str) -> Any:
        return self

    def paginate(self, **_: Any) -> Iterator[Any]:
        yield {"Contents": [{"Key": key} for key in sorted(self.objects)]}

    def get_object(self, Key: str, **_: Any) -> Any:
        self.read += 1
        body = SimpleNamespace(read=lambda: self.objects[Key])
        return {"Body": body, "ETag": "e", "LastModified": at(1)}


def test_each_quarantined_object_is_read_once_and_shown_decoded() -> None:
    s3 = S3()
    s3.put(1, "é".encode())
    s3.put(2, b"\xff\x00")
    s3.objects["elsewhere.txt"] = b"?"
    quarantine = Quarantine(site(LIVE, s3=s3))
    listing = quarantine.look()
    assert listing.count == 3
    assert [(each.stage, each.reason, each.text) for each in listing.objects] == [
        ("state", "reason 2", "not UTF-8, in base 64: /wA="),
        ("state", "reason 1", "é"),
        ("", "not an object of StateLambda, MapLambda, ReduceLambda or of their mappings", ""),
    ]
    assert quarantine.look() == listing
    assert s3.read == 3
    s3.objects.pop(next(iter(s3.objects)))
    assert quarantine.look().count == 2
    assert quarantine.look().version != listing.version


def test_only_the_newest_objects_of_a_large_quarantine_are_listed() -> None:
    s3 = S3()
    keys = [s3.put(number, b"x" * 10_000) for number in range(MOST_OBJECTS + 50)]
    listing = Quarantine(site(LIVE, s3=s3)).look()
    assert (listing.count, len(listing.objects)) == (len(keys), MOST_OBJECTS)
    assert listing.objects[0].key == keys[-1]
    assert listing.objects[0].text.endswith("6,000 characters more")
    assert s3.read == MOST_OBJECTS


def test_an_accounts_quarantine_is_read_in_parts() -> None:
    s3 = S3()
    for number in range(60):
        s3.put(number, b"x")
    quarantine = Quarantine(site(LIVE, is_local=False, s3=s3))
    assert [len(quarantine.look().objects) for _ in range(4)] == [25, 50, 60, 60]
    assert s3.read == 60


# -- cost


@pytest.mark.usefixtures("few_messages")
def test_a_higher_rate_costs_more() -> None:
    costs = Costs(site(LIVE))
    rest = costs.of(Rate.of({}, None), {})
    busy = costs.of(Rate.of({"stream.records": 500.0}, 250.0), {})
    assert rest.rate.messages == 0
    assert 0 < rest.dollars < busy.dollars
    assert rest.write_units < busy.write_units
    assert set(busy.services) == {"Kinesis", "Lambda", "DynamoDB", "CloudWatch"}


def test_the_share_of_duplicates_is_computed_from_what_state_dropped() -> None:
    rate = Rate.of({"stream.records": 100.0, "state.duplicates": 20.0, "state.stale": 5.0}, 300.0)
    assert (rate.messages, rate.duplicates, rate.message_bytes) == (100.0, 0.25, 300.0)


@pytest.mark.usefixtures("few_messages")
def test_an_accounts_units_are_those_that_cloudwatch_counted() -> None:
    counted = {"StateTable.write_units": 2.0, "AggregateTable.write_units": 1.0}
    counted |= {"StateTable.read_units": 4.0}
    found = Costs(site(LIVE, is_local=False)).of(Rate(1.0), counted)
    assert (found.write_units, found.read_units) == (3 * 3600, 4 * 3600)
