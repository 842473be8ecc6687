"""The table that part 9 reads and backfills: its names, its configuration and its rows."""

from __future__ import annotations

import json
import random
from typing import Any

from leda.engine.group_by.configuration import Configuration

TABLE, KEY = "Feedback", "feedback_id"
STREAM = "arn:aws:dynamodb:us-east-1:000000000000:table/Feedback/stream/2026-08-01T00:00:00.000"
SHARD = "shardId-00000001772345678901-0a1b2c3d"
CONFIGURATION = Configuration.from_json(
    json.dumps(
        {
            "group_by": {
                "daily": {"keys": ["date"]},
                "source": {"keys": ["source_platform", "date"], "rollup": True},
                "tags": {"keys": ["tags[]", "date"]},
            },
            "measures": {
                "Count": {"op": "count"},
                "Sentiment": {"op": "sum", "field": "sentiment_score"},
            },
        }
    )
)

_SOURCES = ("web", "app:ios", "app:android", "email", "phone")
_TAGS = ("price", "delivery", "quality", "support", "returns", "account")


def row(number: int, draw: random.Random) -> dict[str, Any]:
    """A row of the table: about 350 bytes as JSON, much of which is in no total."""
    return {
        KEY: {"S": f"{number:012d}"},
        "date": {"S": f"2026-{draw.randint(1, 12):02d}-{draw.randint(1, 28):02d}"},
        "source_platform": {"S": draw.choice(_SOURCES)},
        "sentiment_score": {"N": f"{draw.randint(-100, 100) / 100:g}"},
        "tags": {"SS": draw.sample(_TAGS, draw.randint(1, 2))},
        "text": {"S": "x" * draw.randint(50, 250)},
    }
