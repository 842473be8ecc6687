"""The labels of a total: attributes that say which one it is, and until when it is kept."""

from collections.abc import Mapping
from typing import Any, NamedTuple

# A measure has none of these names.
GROUPING, KEYS, PARENT, EXPIRES_AT = "Grouping", "Keys", "Parent", "ExpiresAt"


class Labels(NamedTuple):
    """The parts of a total's identifier: its grouping, the texts of its keys by name, and its parent.

    `expires` is the time (epoch seconds) at which the total expires; None: it never does.
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
