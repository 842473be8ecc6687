"""Configurations with groupings, and the totals in which a row counts."""

import json
from typing import Any

from leda.engine.group_by.configuration import Configuration

COUNT = {"Count": {"op": "count"}}


def configuration(group_by: Any, measures: Any = COUNT, **more: Any) -> Configuration:
    """A configuration of these groupings, which counts rows unless it is given other measures."""
    return Configuration.from_json(json.dumps({"group_by": group_by, "measures": measures, **more}))


def leaves(keys: list[str], image: dict[str, Any], **grouping: Any) -> tuple[str, ...]:
    """The identifiers of the totals in which the row counts, under one grouping `g`."""
    found = configuration({"g": {"keys": keys, **grouping}}).contribution(image)
    return found.leaves if found else ()
