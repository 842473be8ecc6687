"""One round of the workshop's game: sends a burst, waits until every total is exact, and adds the points to the score.

From 300 points on, the round sets the hard mode and the functions' failure percentages.
"""

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from leda.aws.backoff import full_jitter
from leda.aws.telemetry import logger
from leda.pipeline import game
from leda.pipeline.schema import Schema
from leda.values.texts import number_of

POLL_SECONDS = 0.5
CONFIRM_SECONDS = 2.0
"""Totals that match must still match after this time, because a change that is counted twice may come late."""
RESERVE_SECONDS = 5.0
"""Time that is kept for the score and the function's answer."""
PUT_ATTEMPTS = 8
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.05, 2.0
LISTED = 20
"""The most differing rows in the answer and in the log."""


class BurstNotSentError(Exception):
    """A part of a burst did not reach the stream; the text says how much, and why."""


class Stack:
    """The calls to AWS that a round needs."""

    def __init__(
        self, kinesis: Any, dynamodb: Any, stream: str, totals: str, parameters: str
    ) -> None:
        """Take the clients and the names of the stream and the two tables."""
        self._kinesis, self._dynamodb = kinesis, dynamodb
        self._stream, self._totals, self._parameters = stream, totals, parameters

    def totals(self) -> dict[str, Decimal]:
        """Return the value of every row of AggregateTable, by consistent reads."""
        pages = self._dynamodb.get_paginator("scan").paginate(
            TableName=self._totals, ConsistentRead=True
        )
        return {
            row["Identifier"]["S"]: Decimal(row["Value"]["N"])
            for page in pages
            for row in page["Items"]
        }

    def parameter(self, name: str) -> int:
        """Return the value of a row of ParameterTable; 0 if there is no such row."""
        answer = self._dynamodb.get_item(
            TableName=self._parameters, Key={"parameter": {"S": name}}, ConsistentRead=True
        )
        return int(Decimal(answer["Item"]["value"]["N"])) if "Item" in answer else 0

    def set_parameter(self, name: str, value: int) -> None:
        """Write a row of ParameterTable."""
        item = {"parameter": {"S": name}, "value": {"N": str(value)}}
        self._dynamodb.put_item(TableName=self._parameters, Item=item)

    def add_score(self, points: int) -> int:
        """Add to SCORE with an atomic update, so that two rounds at a time both count; return the sum."""
        answer = self._dynamodb.update_item(
            TableName=self._parameters,
            Key={"parameter": {"S": "SCORE"}},
            UpdateExpression="ADD #value :points",
            ExpressionAttributeNames={"#value": "value"},
            ExpressionAttributeValues={":points": {"N": str(points)}},
            ReturnValues="ALL_NEW",
        )
        return int(Decimal(answer["Attributes"]["value"]["N"]))

    def put(self, records: list[game.Record], until: float) -> None:
        """Send one PutRecords call, and its failed records again, up to the time `until` (time.monotonic).

        An answer with the status 200 may name failed records, and only those are sent again. A call without an answer
        is sent again whole, because duplicates do not change a total. Raises BurstNotSentError.
        https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecords.html
        """
        reason = ""
        for attempt in range(PUT_ATTEMPTS):
            if attempt:
                time.sleep(full_jitter(attempt, FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS))
            if time.monotonic() >= until:
                reason = f"no time left before the function's timeout. {reason}"
                break
            try:
                answer = self._kinesis.put_records(
                    StreamName=self._stream, Records=[record.entry() for record in records]
                )
            except (ClientError, BotoCoreError) as error:
                reason = str(error)
                continue
            if not answer.get("FailedRecordCount"):
                return
            pairs = zip(records, answer["Records"], strict=True)
            failed = [(record, entry) for record, entry in pairs if entry.get("ErrorCode")]
            records = [record for record, _ in failed]
            reason = f"{failed[0][1]['ErrorCode']}: {failed[0][1].get('ErrorMessage', '')}"
        raise BurstNotSentError(
            f"the stream did not take {number_of(len(records), 'record')} of a call: {reason}"
        )


def play(
    stack: Stack, schema: Schema, given: Mapping[str, Any], wait_seconds: float, seconds: float
) -> dict[str, Any]:
    """Play one round within `seconds`; return what was sent, how long it took, the rows that differ, and the score.

    `given` may have `seed` (whole number), `messages`, and another `wait_seconds`, the longest time to wait for exact
    totals.
    """
    end = time.monotonic() + seconds - RESERVE_SECONDS
    # A field that is null counts as absent.
    given = {name: value for name, value in given.items() if value is not None}
    rules = game.HARD if stack.parameter("SPECIAL_TRADES") else game.PLAIN
    if "messages" in given:
        rules = replace(rules, messages=int(given["messages"]))
    burst = game.Burst(rules, random.Random(given.get("seed")), schema)
    before = stack.totals()
    wait = float(given.get("wait_seconds", wait_seconds))
    result: dict[str, Any] = {"mode": "hard" if rules.modify_percent else "plain"}
    try:
        result["seconds_to_put"] = _sent(stack, burst, end)
    except BurstNotSentError as error:
        # Without the whole burst, the round proves nothing about the pipeline, so it gives no points. An exception
        # would make Lambda retry the event, which sends another burst.
        logger.error(
            "burst not sent", extra={"reason": str(error), "messages": burst.counts.messages}
        )
        points, result["not_sent"] = 0, str(error)
    else:
        points, outcome = _wait_for_totals(stack, before, burst, wait, end)
        result |= outcome
    counts = burst.counts
    score = stack.add_score(points)
    for name, value in game.parameters_at(score).items():
        stack.set_parameter(name, value)
    result |= {"messages": counts.messages, "duplicates": counts.duplicates}
    result |= {"modified": counts.newer, "older": counts.older, "points": points, "score": score}
    logger.info("round played", extra=result)
    return result


def _sent(stack: Stack, burst: game.Burst, end: float) -> float:
    """Send the burst; return the seconds that it took. Raises BurstNotSentError."""
    began = time.monotonic()
    for records in burst.calls():
        stack.put(records, end)
    return round(time.monotonic() - began, 2)


def _wait_for_totals(
    stack: Stack, before: Mapping[str, Decimal], burst: game.Burst, wait: float, end: float
) -> tuple[int, dict[str, Any]]:
    """Wait until the totals are exact; return the round's points, and the answer's fields about the totals."""
    sent = time.monotonic()
    limit = min(sent + wait, end)
    wrong, matched = wait_until_exact(stack.totals, before, burst.expected(), limit)
    return game.points(wrong), {
        "seconds_to_settle": None if matched is None else round(matched - sent, 2),
        "rows_that_differ": len(wrong),
        "differences": [
            {"identifier": row.identifier, "expected": str(row.expected), "found": str(row.found)}
            for row in wrong[:LISTED]
        ],
    }


def wait_until_exact(
    totals: Callable[[], Mapping[str, Decimal]],
    before: Mapping[str, Decimal],
    expected: Mapping[str, Decimal],
    limit: float,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> tuple[list[game.Difference], float | None]:
    """Poll until the totals match and still match CONFIRM_SECONDS later, or until the clock shows `limit`.

    Returns the rows that differ at the end, and the time since which the totals match (None if they do not).
    """
    matched: float | None = None
    while True:
        wrong = game.differences(before, totals(), expected)
        now = clock()
        if wrong:
            matched = None
        elif matched is None:
            matched = now
        if now >= limit or (matched is not None and now - matched >= CONFIRM_SECONDS):
            return wrong, matched
        sleep(min(POLL_SECONDS, max(0.0, limit - now)))
