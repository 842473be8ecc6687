"""The pipeline's totals: a row's path in a tree, and every level above it."""

from leda.engine.group_by import hierarchy
from leda.engine.group_by.grouping_keys import GroupingError
from leda.engine.group_by.hierarchy import SEPARATOR
from leda.streams.changes import UnreadableRowError
from leda.streams.stream_records import Image

# A trade that a message has deleted keeps its row in StateTable, with the version of the deletion.
DELETED = "Deleted"


class HierarchyPath:
    """The attribute with a row's path in a tree. Every level of the tree has totals."""

    max_identifier_bytes = hierarchy.MAX_PATH_BYTES

    def __init__(self, attribute: object) -> None:
        """Read the document's `path`. Raises GroupingError."""
        if not isinstance(attribute, str) or not attribute:
            raise GroupingError("`path` is not the name of an attribute")
        self._attribute = attribute

    def leaves(self, image: Image) -> tuple[str, ...]:
        """Return the path; nothing for a row that a message has deleted. Raises UnreadableRowError."""
        if image.get(DELETED) == {"BOOL": True}:
            return ()
        value = image.get(self._attribute)
        path = value.get("S") if isinstance(value, dict) else None
        if not isinstance(path, str) or not path:
            raise UnreadableRowError(f"the row has no {self._attribute} (a string)")
        if SEPARATOR * 2 in path or path[0] == SEPARATOR or path[-1] == SEPARATOR:
            raise UnreadableRowError(f"{self._attribute} has an empty level")
        return (path,)

    @staticmethod
    def nodes(leaf: str) -> list[str]:
        """Return the path's nodes, from the root down."""
        return hierarchy.nodes(leaf)

    @staticmethod
    def labels(_identifier: str) -> None:
        """Return None: totals of the hierarchy have no labels, as in the workshop's text."""
        return

    @property
    def attributes(self) -> set[str]:
        """The names of the attributes that decide which totals count a row."""
        return {self._attribute, DELETED}
