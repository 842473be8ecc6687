"""The messages of a proof, all under one root of the hierarchy, and the totals in which they count.

Trades and totals have the same keys in every run, so a run finds what an earlier one left without a scan, and no run
leaves more rows than one. Versions begin above those of all earlier runs, so late messages of an earlier run change
nothing.
"""

from __future__ import annotations

import itertools
import json
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from leda.engine.group_by import hierarchy
from leda.pipeline.game import Record
from leda.pipeline.schema import Schema

ROOT = "leda-prove"

TRADES = 1000
SINGLES = 6
"""Trades that are sent one by one, to time a message in a pipeline that has nothing else to do."""
IDS = tuple(f"{ROOT}/{number:04d}" for number in range(TRADES + SINGLES))

_NAMES = ((ROOT,), ("a", "b"), ("x", "y", "z"))
"""The names at the first levels of the hierarchy; at each further level there is one name."""
_FURTHER = ("all",)

# Of a thousand trades: how many get a newer version, how many of these are deletions, how many get an older one late.
_CHANGED, _ENDED, _OUTDATED = 400, 50, 200
_DUPLICATES = 700

MESSAGES = SINGLES + TRADES + _CHANGED + _OUTDATED + _DUPLICATES + 2 * len(IDS)
"""How many messages a proof sends, including the deletions before and after."""

# A trade's versions, counted from the run's first one. The first message of a trade has the second version, so that an
# older one can come late.
_OLDER, _FIRST, _NEWER, _LAST = 0, 1, 2, 3
VERSIONS = _LAST + 1


def totals_of(schema: Schema) -> list[str]:
    """The identifiers of every total that a proof's trades can be in."""
    leaves = itertools.product(*_choices(schema))
    found = (node for leaf in leaves for node in hierarchy.nodes(hierarchy.SEPARATOR.join(leaf)))
    return list(dict.fromkeys(found))


def _choices(schema: Schema) -> list[tuple[str, ...]]:
    further = (_FURTHER,) * len(schema.levels)
    return list((*_NAMES, *further)[: len(schema.levels)])


@dataclass(slots=True)
class Trades:
    """Makes the messages of one run, whose versions begin at `first_version`.

    Each message is made when it is sent, because its timestamp is the time of sending. The partition key is the
    trade's id: all messages of a trade are in one shard, so a deletion comes after what it deletes.
    """

    schema: Schema
    first_version: int
    rng: random.Random = field(default_factory=random.Random)

    @property
    def last_version(self) -> int:
        """The version that deletes a trade."""
        return self.first_version + _LAST

    def single(self, number: int) -> Record:
        """The message of one of the SINGLES."""
        return self._message(IDS[TRADES + number], _FIRST)

    def burst(self) -> Iterator[Record]:
        """First versions, changes, late older versions and duplicates, mixed."""
        rng, ids = self.rng, IDS[:TRADES]
        plan = [(each, _FIRST, False) for each in ids]
        changed = rng.sample(ids, _CHANGED)
        plan += [(each, _NEWER, place < _ENDED) for place, each in enumerate(changed)]
        plan += [(each, _OLDER, False) for each in rng.sample(ids, _OUTDATED)]
        rng.shuffle(plan)
        sent: list[Record] = []
        # Each duplicate somewhere after its original.
        duplicates = set(rng.sample(range(1, len(plan)), _DUPLICATES))
        for place, (each, version, deleted) in enumerate(plan):
            sent.append(self._message(each, version, deleted))
            yield sent[-1]
            if place in duplicates:
                yield rng.choice(sent)

    def deletions(self) -> Iterator[Record]:
        """A message for every trade that deletes it."""
        for each in IDS:
            yield self._message(each, _LAST, deleted=True)

    def _message(self, identifier: str, version: int, deleted: bool = False) -> Record:
        names, schema = {}, self.schema
        for level, choices in zip(schema.levels, _choices(schema), strict=True):
            names[level] = self.rng.choice(choices)
        parts: dict[str, object] = {
            schema.id: identifier,
            schema.version: self.first_version + version,
            schema.timestamp: time.time(),
        }
        if deleted:
            parts[schema.deleted] = True
        elif schema.hierarchy is None:
            parts |= names
        else:
            parts[schema.hierarchy] = names
        text = json.dumps(parts)[:-1]
        if not deleted:
            # Written as text, because json.dumps cannot write a Decimal exactly.
            text += f", {json.dumps(schema.value)}: {self._value()}"
        return Record(f"{text}}}".encode(), identifier)

    def _value(self) -> str:
        """A random number within the schema's limits; most have no exact binary float, and some are negative."""
        digits = min(self.schema.max_integer_digits, 9)
        places = min(self.schema.max_decimal_places, self.rng.choice((2, 17)))
        sign = self.rng.choice(("", "", "-"))
        whole = self.rng.randrange(10**digits)
        return f"{sign}{whole}" + (
            f".{self.rng.randrange(10**places):0{places}d}" if places else ""
        )
