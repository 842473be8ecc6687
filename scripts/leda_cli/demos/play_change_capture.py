"""The demo of examples/change-capture: a user's history, notifications, and a replica that no replay changes."""

from __future__ import annotations

import json
import random
import secrets
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from rich.table import Table

from leda.values.texts import number_of
from leda_cli.base.errors import LedaError
from leda_cli.base.output import cell, console, heading, info, step
from leda_cli.base.waiting import wait_for
from leda_cli.demos.applied_example import AppliedExample
from leda_cli.demos.examples import ExampleAws
from leda_cli.demos.function_log import FunctionLog
from leda_cli.demos.redelivery import Redelivery
from leda_cli.operate.totals.screen import ACCENT, plain_table, print_table

PLACE, END = "_replica_place", "_replica_end"
ROUNDS = 3
WRITES = 150
SECRET = "correct horse battery staple"  # noqa: S105


@dataclass(frozen=True)
class Changes(AppliedExample):
    """The applied example: its tables, its functions, its queue and the calls that the demo makes."""

    @cached_property
    def sqs(self) -> Any:
        """The client, made at its first use."""
        return self.aws.client("sqs")

    @cached_property
    def log(self) -> FunctionLog:
        """The log with the changes."""
        group = self.aws.outputs["functions"]["capture"]["log_group_name"]
        return FunctionLog(self.aws.client("logs"), group)

    @property
    def table(self) -> str:
        """The table's name."""
        return str(self.aws.outputs["table"]["name"])

    @property
    def replica(self) -> str:
        """The replica's name."""
        return str(self.aws.outputs["copy"]["name"])

    def function(self, part: str) -> str:
        """A function's name: capture or replica."""
        return str(self.aws.outputs["functions"][part]["name"])

    def put(self, user: str, attributes: Mapping[str, Any], timestamp: int = 1) -> None:
        """Write an item; attributes in DynamoDB's JSON."""
        self.dynamodb.put_item(TableName=self.table, Item={**key(user, timestamp), **attributes})

    def delete(self, user: str, timestamp: int = 1) -> None:
        """Delete an item."""
        self.dynamodb.delete_item(TableName=self.table, Key=key(user, timestamp))

    def changes(self, user: str) -> list[dict[str, Any]]:
        """A user's changes in the log, as the saved query shows them: each once, in order."""
        found = {
            line["event_id"]: line
            for line in self.log.lines("change")
            if line["keys"].get("user_id") == user
        }
        return sorted(found.values(), key=lambda line: int(line["sequence_number"]))

    def items(self) -> dict[tuple[str, str], Any]:
        """The table, by key."""
        return {_name(row): row for row in self.scan(self.table)}

    def replica_items(self) -> dict[tuple[str, str], Any]:
        """The replica as its readers see it, by key: no tombstones, without the attributes that it adds."""
        return {
            _name(row): {name: row[name] for name in row.keys() - {PLACE}}
            for row in self.scan(self.replica)
            if END not in row
        }

    def tombstones(self) -> list[dict[str, Any]]:
        """The replica's rows of items that are gone."""
        return [row for row in self.scan(self.replica) if END in row]

    def rows(self) -> list[dict[str, Any]]:
        """The replica as it is stored."""
        return sorted(self.scan(self.replica), key=_name)

    def inbox(self) -> list[dict[str, Any]]:
        """Take all notifications out of the queue."""
        url = self.aws.outputs["inbox_url"]
        found = []
        while messages := self.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get(
            "Messages"
        ):
            for message in messages:
                found.append(json.loads(message["Body"]))
                self.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return found

    def replica_redelivery(self, draw: random.Random) -> Redelivery:
        """Second deliveries of the table's stream to the replica's function."""
        stream = self.outputs["table"]["stream_arn"]
        return self.redelivery(stream, self.function("replica"), draw)


def key(user: str, timestamp: int = 1) -> dict[str, Any]:
    """An item's key in DynamoDB's JSON."""
    return {"user_id": {"S": user}, "timestamp": {"N": str(timestamp)}}


def _name(row: Mapping[str, Any]) -> tuple[str, str]:
    return row["user_id"]["S"], row["timestamp"]["N"]


def play(aws: ExampleAws) -> None:
    """Play the demo. Raises LedaError if a result is wrong."""
    changes, draw = Changes(aws), random.Random()
    user = f"ada-{secrets.token_hex(2)}"
    changes.inbox()  # of an earlier run
    counted_before = _counts(changes).total()
    lines = _story(changes, user)
    _notified(changes, user, lines)
    changed = len(lines) + _replayed(changes, draw)
    _counted(changes, counted_before, changed)
    _farewell(changes, user)


def _story(changes: Changes, user: str) -> list[dict[str, Any]]:
    heading(f"What happened to {user}")
    item: dict[str, Any] = {"email": {"S": "ada@example.org"}, "plan": {"S": "free"}}
    item |= {"balance": {"N": "20"}, "password_hash": {"S": SECRET}}
    for change in (
        {},
        {"plan": {"S": "gold"}, "balance": {"N": "11.50"}},
        {"password_hash": {"S": SECRET[::-1]}},
        {"balance": {"N": "-0.10"}},
    ):
        item |= change
        changes.put(user, item)
    changes.delete(user)
    with step("waiting for the log of the 5 changes"):
        wait_for("the five changes in the log", lambda: len(changes.changes(user)) == 5)
    lines = changes.changes(user)
    print_table(console, _table(lines))
    if [line["event"] for line in lines] != ["create", "update", "update", "update", "delete"]:
        raise LedaError(
            "The log does not have the changes that were made.", "That is a bug in LEDA."
        )
    everything = json.dumps(changes.log.all())
    if SECRET in everything or SECRET[::-1] in everything:
        raise LedaError("The log holds a redacted value.", "That is a bug in LEDA.")
    info("password_hash is redacted: the log shows that it changed, but not its value.")
    return lines


def _table(lines: list[dict[str, Any]]) -> Table:
    table = plain_table("event", "attribute", "old", "new")
    for line in lines:
        for place, (name, sides) in enumerate(sorted(line["changed"].items())):
            table.add_row(
                "" if place else cell(line["event"], style="bold"),
                cell(name),
                *(
                    cell(json.dumps(sides[side]) if side in sides else "")
                    for side in ("old", "new")
                ),
            )
    return table


def _notified(changes: Changes, user: str, lines: list[dict[str, Any]]) -> None:
    heading("Which changes were published as a notification")
    heard: list[dict[str, Any]] = []

    def all_heard() -> bool:
        heard.extend(changes.inbox())
        mine = {_heard_id(each) for each in heard if f'"{user}"' in each["Message"]}
        return len(mine) == 4

    wait_for("four notifications in the queue", all_heard)
    by_id = {_heard_id(each): json.loads(each["Message"]) for each in heard}
    for line in lines:
        told = line["event_id"] in by_id
        what = ", ".join(sorted(line["changed"]))
        info(f"{'published' if told else 'not sent':>10}  {line['event']}: {what}")
    if any(SECRET in each["Message"] for each in heard):
        raise LedaError("A notification holds a redacted value.", "That is a bug in LEDA.")
    info(
        "Published are: a plan that becomes gold, a balance that falls below 0, a new password, a deleted item."
    )


def _heard_id(message: Mapping[str, Any]) -> str:
    return str(message["MessageAttributes"]["deduplication_id"]["Value"])


def _replayed(changes: Changes, draw: random.Random) -> int:
    """Write items, replay the stream into the replica, and return how many of the writes have changed an item."""
    heading("A replica that no replay changes")
    users = [f"{name}-{secrets.token_hex(2)}" for name in ("bela", "chidi", "dara", "emre", "femi")]
    counts: Counter[str] = Counter()
    balances: dict[tuple[str, int], str | None] = {}
    with step(f"{WRITES} writes of 5 users"):
        for number in range(WRITES):
            user, timestamp = draw.choice(users), draw.randint(1, 3)
            balance = None if draw.random() < 0.25 else str(number)
            if balance is None:
                changes.delete(user, timestamp)
            else:
                changes.put(user, {"balance": {"N": balance}}, timestamp)
            counts["deletes" if balance is None else "puts"] += 1
            # A delete of an item that does not exist leaves no record in the stream.
            counts["changes"] += balances.get((user, timestamp)) != balance
            balances[user, timestamp] = balance
    with step("waiting until the replica has all of them"):
        wait_for("the replica equals the table", lambda: changes.replica_items() == changes.items())
    before = changes.rows()
    redelivery = changes.replica_redelivery(draw)
    with step("delivering the whole stream again, in other batches and orders"):
        for _ in range(ROUNDS):
            redelivery.once()
        redelivery.everything()
    if changes.rows() != before:
        raise LedaError("A replay has changed the replica.", "That is a bug in LEDA.")
    if changes.replica_items() != changes.items():
        raise LedaError("The replica differs from the table.", "That is a bug in LEDA.")
    info(
        f"{number_of(counts['puts'], 'put')} and {number_of(counts['deletes'], 'delete')} made "
        f"{number_of(counts['changes'], 'change')}: "
        "a delete of an item that does not exist leaves no record in the stream."
    )
    info(f"The replica then received {number_of(redelivery.records, 'record')} again.")
    console.print(
        f"    [{ACCENT}]Equal:[/] {number_of(len(changes.replica_items()), 'item')} in {changes.table} and in "
        f"{changes.replica}, and {number_of(len(changes.tombstones()), 'tombstone')} of deleted items."
    )
    return counts["changes"]


def _counts(changes: Changes) -> Counter[str]:
    """The changes that the function has counted, by kind."""
    counted: Counter[str] = Counter()
    for line in changes.log.all():
        if "Changes" in line:
            counted[line["event"]] += int(sum(line["Changes"]))
    return counted


def _counted(changes: Changes, before: int, changed: int) -> None:
    """Show the counts, which must have grown by this run's changes or more: a repeated delivery counts again."""
    heading("Counts by kind")
    wait_for(
        f"{number_of(changed, 'change')} counted",
        lambda: _counts(changes).total() - before >= changed,
    )
    for event, count in sorted(_counts(changes).items()):
        info(f"{event:>10}  {count:,}")
    more = f" and {before:,} of earlier runs" if before else ""
    info(f"They are the {changed:,} changes of this run{more}.")
    info(
        "On AWS, CloudWatch shows them as the metric Changes in the namespace LEDA, within a minute."
    )


def _farewell(changes: Changes, user: str) -> None:
    item = json.dumps({**key("you"), "plan": {"S": "gold"}})
    changes.say_what_next(
        f"aws dynamodb put-item --table-name {changes.table} --item '{item}'",
        f"{changes.log.command} | grep '\"you\"'",
        f"aws dynamodb scan --table-name {changes.replica}",
        f"aws sqs receive-message --queue-url {changes.aws.outputs['inbox_url']}",
    )
    info(
        f"On AWS, the saved query tells what happened to {user}; docs/change-capture.md explains it."
    )
