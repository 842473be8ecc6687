"""Plain identifiers: one grouping of one key, whose text is the total's identifier."""

from collections.abc import Mapping
from typing import Any

from leda.engine.group_by import hierarchy
from leda.engine.group_by.grouping import Grouping
from leda.engine.group_by.grouping_keys import GroupingError
from leda.engine.group_by.hierarchy import SEPARATOR
from leda.engine.group_by.total_labels import Labels
from leda.streams.changes import UnreadableRowError
from leda.streams.stream_records import Image


class PlainKey:
    """One grouping of one key, whose text is the total's identifier, unescaped."""

    max_identifier_bytes = hierarchy.MAX_PATH_BYTES

    def __init__(self, document: Mapping[str, Any]) -> None:
        """Read the document's `group_by`. Raises GroupingError."""
        groupings = [
            Grouping.parse(name, given)
            for name, given in (document.items() if isinstance(document, dict) else ())
        ]
        if len(groupings) != 1 or len(groupings[0].keys) != 1 or groupings[0].is_rollup:
            raise GroupingError(
                "plain identifiers need one grouping of one key, without rollup: others would share totals"
            )
        self._grouping = groupings[0]

    def leaves(self, image: Image) -> tuple[str, ...]:
        """Return the key's texts for the row. Raises UnreadableRowError."""
        if not all(condition.holds(image) for condition in self._grouping.where):
            return ()
        texts = tuple(self._grouping.keys[0].texts(image))
        if not all(text and text[0] != SEPARATOR for text in texts):
            name = self._grouping.keys[0].path.text
            raise UnreadableRowError(
                f"{name} is empty or begins with {SEPARATOR!r}, so it cannot be a total's key"
            )
        return texts

    @staticmethod
    def nodes(leaf: str) -> list[str]:
        """Return the leaf alone."""
        return [leaf]

    def labels(self, identifier: str) -> Labels | None:
        """Return the total's labels; None for an identifier that no row makes. All totals have the same parent."""
        if identifier.startswith(SEPARATOR):
            return None
        grouping = self._grouping
        keys = {grouping.keys[0].name: identifier}
        return Labels(grouping.name, keys, grouping.name, grouping.expires([identifier]))

    @property
    def attributes(self) -> set[str]:
        """The names of the row's attributes that the grouping reads."""
        return self._grouping.attributes
