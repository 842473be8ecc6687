"""The labels of a total: the attributes with its grouping, keys, parent and expiry."""

from collections.abc import Mapping
from typing import Any, NamedTuple

# A measure has none of these names.
GROUPING, KEYS, PARENT, EXPIRES_AT = "Grouping", "Keys", "Parent", "ExpiresAt"


class Labels(NamedTuple):
    """A total's grouping, the texts of its keys by name, its parent's identifier, and its expiry.

    `expires` is the time (epoch seconds) at which the total expires; None if it never does.
    """

    grouping: str
    keys: Mapping[str, str]
    parent: str
    expires: int | None = None

    @property
    def attributes(self) -> dict[str, dict[str, Any]]:
        """The labels as attributes of the total, in DynamoDB's JSON."""
        found: dict[str, dict[str, Any]] = {
            GROUPING: {"S": self.grouping},
            KEYS: {"M": {name: {"S": text} for name, text in self.keys.items()}},
            PARENT: {"S": self.parent},
        }
        if self.expires is not None:
            found[EXPIRES_AT] = {"N": str(self.expires)}
        return found
