"""What GameScoresByUser must hold: one plain pass over GameScoreRecords.

It is independent of lambda_src/ on purpose and shares no code with it, so that one mistake cannot be in both.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from leda_cli.demos.leaderboard import Total
from leda_cli.operate.totals.comparison import EXACT


def fold(records: Iterable[Mapping[str, Any]]) -> dict[str, Total]:
    """Each user's total over score records (rows in DynamoDB's JSON), by Username.

    A record without a user or without a number for its Score counts for nothing.
    """
    found: dict[str, Total] = {}
    for record in records:
        if "S" not in record.get("Username", {}) or "N" not in record.get("Score", {}):
            continue
        username, score = record["Username"]["S"], Decimal(record["Score"]["N"])
        before = found.get(username, Total(username, Decimal(0), 0))
        found[username] = Total(username, EXACT.add(before.score, score), before.records + 1)
    return found


def figures(totals: Iterable[Total]) -> dict[str, Decimal]:
    """Both figures of each user, in the form that `comparison.compare` takes."""
    found: dict[str, Decimal] = {}
    for total in totals:
        found[total.username] = total.score
        found[f"{total.username} (records)"] = Decimal(total.records)
    return found
