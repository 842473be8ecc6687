"""The arithmetic of scores: from changes of score records to what each user's total changes by.

A record is {RecordID, Username, Score, Nickname?}. A user's total is the sum of the Scores of the user's records, and
their number. A change takes the old record out of its user's total and puts the new one into its user's, who may be
another.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from leda import changes
from leda.numbers import NotExact, exact, limited, number
from leda.streams import Image, StreamRecord, content
from leda.texts import utf8_bytes
from leda.transactions import MAX_EFFECTS

# With 9 digits more, a total over 10^9 records still fits a DynamoDB Number's 38. These are no settings: a record is
# taken out of a total by its old image, which must be measured as it was when it was put in.
MAX_INTEGER_DIGITS = 12
MAX_DECIMAL_PLACES = 17

# A Username is the key of a total.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html#limits-partition-sort-keys
MAX_USERNAME_BYTES = 2048


class UnreadableScore(changes.UnreadableRow):
    """A record that has no user or no score that can be counted; the text says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Score:
    """What a record adds: `points` to the total of `username`."""

    username: str
    points: Decimal


@dataclass(slots=True)
class Change:
    """What a user's total changes by: points, and records that have them."""

    points: Decimal = Decimal(0)
    records: int = 0

    def __bool__(self) -> bool:
        """Whether anything changes."""
        return bool(self.points or self.records)


@dataclass(slots=True)
class Fold:
    """The sum of the changes of a prefix of records, by user."""

    count: int = 0
    users: dict[str, Change] = field(default_factory=dict)
    unreadable: list[tuple[StreamRecord, str]] = field(default_factory=list)


def score(image: Image | None) -> Score | None:
    """What the record adds, None for no record. Raises UnreadableScore."""
    if image is None:
        return None
    username, points = content(image, "Username", "S"), content(image, "Score", "N")
    if not username:
        raise UnreadableScore("the record has no Username (a string)")
    size = utf8_bytes(username)
    if size is None:
        raise UnreadableScore("Username is not valid Unicode (a lone surrogate)")
    if size > MAX_USERNAME_BYTES:
        raise UnreadableScore(f"Username has more than {MAX_USERNAME_BYTES} bytes")
    if points is None:
        raise UnreadableScore("the record has no Score (a number)")
    try:
        return Score(username, limited(number(points), MAX_INTEGER_DIGITS, MAX_DECIMAL_PLACES))
    except NotExact as error:
        raise UnreadableScore(f"Score {error}") from error


def fold(records: Sequence[StreamRecord]) -> Fold:
    """The longest prefix of `records` that touches no more users than a transaction has actions, summed."""
    folded = Fold()
    with exact():
        for record in records:
            old, new, reasons = changes.read(record, score, keeps_expired=True)
            touched = {each.username for each in (old, new) if each}
            if len(folded.users.keys() | touched) > MAX_EFFECTS and folded.count:
                break
            folded.count += 1
            folded.unreadable += [(record, reason) for reason in reasons]
            if old:
                change = folded.users.setdefault(old.username, Change())
                change.points -= old.points
                change.records -= 1
            if new:
                change = folded.users.setdefault(new.username, Change())
                change.points += new.points
                change.records += 1
    return folded
