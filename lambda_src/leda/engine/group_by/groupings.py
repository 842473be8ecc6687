"""All groupings of a configuration, which decide which totals count a row, like GROUP BY in SQL.

{"source": {"keys": ["source_platform", "date"], "missing": {"source_platform": "unknown"}},
 "urgent": {"keys": ["date"], "where": {"urgency": ["high"]}},
 "tags":   {"keys": ["tags[]", "created_at:day as day"], "retention_days": 400},
 "desk":   {"keys": ["RiskType", "TradeDesk", "Region"], "rollup": true}}
"""

from collections.abc import Mapping
from typing import Any

from leda.engine.group_by import hierarchy
from leda.engine.group_by.grouping import Grouping
from leda.engine.group_by.grouping_keys import GroupingError
from leda.engine.group_by.hierarchy import SEPARATOR
from leda.engine.group_by.identifiers import unescaped
from leda.engine.group_by.total_labels import Labels
from leda.streams.stream_records import Image

# The index `Children` has the identifier as its sort key, so DynamoDB refuses a total with a longer identifier.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html#limits-partition-sort-keys
MAX_SORT_KEY_BYTES = 1024


class Groupings:
    """All groupings of a configuration."""

    max_identifier_bytes = MAX_SORT_KEY_BYTES

    def __init__(self, document: Mapping[str, Any]) -> None:
        """Read the document's `group_by`. Raises GroupingError."""
        if not isinstance(document, dict) or not document:
            raise GroupingError("`group_by` names no grouping")
        self._groupings = {name: Grouping.parse(name, given) for name, given in document.items()}
        self._rollups = {each.name for each in self._groupings.values() if each.is_rollup}

    def leaves(self, image: Image) -> tuple[str, ...]:
        """Return the identifiers of the leaves of all groupings that count the row. Raises UnreadableRowError."""
        found: list[str] = []
        for grouping in self._groupings.values():
            found += grouping.leaves(image)
        return tuple(found)

    def nodes(self, leaf: str) -> list[str]:
        """Return the totals to which a leaf's amounts are added: the leaf, and with rollup the totals above it."""
        if self._rollups and leaf.partition(SEPARATOR)[0] in self._rollups:
            # The first node is the grouping's name alone, which is not a total.
            return hierarchy.nodes(leaf)[1:]
        return [leaf]

    def labels(self, identifier: str) -> Labels | None:
        """Return the total's labels; None for an identifier that these groupings do not make."""
        name, *texts = identifier.split(SEPARATOR)
        grouping = self._groupings.get(name)
        if grouping is None or not texts or len(texts) > len(grouping.keys):
            return None
        if len(texts) < len(grouping.keys) and not grouping.is_rollup:
            return None
        plain = [unescaped(text) for text in texts]
        keys = {key.name: text for key, text in zip(grouping.keys, plain, strict=False)}
        parent = identifier.rpartition(SEPARATOR)[0] if grouping.is_rollup else name
        return Labels(name, keys, parent, grouping.expires(plain))

    @property
    def attributes(self) -> set[str]:
        """The names of the row's attributes that the groupings read."""
        return set().union(*(each.attributes for each in self._groupings.values()))
