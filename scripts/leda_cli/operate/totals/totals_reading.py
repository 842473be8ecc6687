"""Reading totals: one of them, the children of a node, the first of those by a measure, or a whole grouping.

One total is read by its key. Its children and the first of them by a measure come out of the table's indexes `Children`
and `Top<Measure>` where it has them, and out of a scan of the whole table where it has not: each answer says which, and
how many read units it took. A scan reads consistently; an index follows its table, within a second as a rule.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GSI.html

A total whose number of rows is 0 is absent: its row stays in the table because it holds the total's checkpoint. Without
a measure that counts, a total with 0 in every measure is. So is a total that has expired (`retention_days`), although
time to live removes its row some time later.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Context, Decimal
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, Any

from leda.engine.audit.totals_table import amount_of
from leda.engine.delta_rows import RESERVED
from leda.engine.group_by.configuration import Configuration
from leda.engine.group_by.grouping import Grouping
from leda.engine.group_by.hierarchy import SEPARATOR
from leda.engine.group_by.hierarchy_path import HierarchyPath
from leda.engine.group_by.identifiers import escaped
from leda.engine.group_by.plain_key import PlainKey
from leda.engine.group_by.total_labels import PARENT
from leda_cli.base.errors import LedaError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

CHILDREN, TOP = "Children", "Top"
# More than are asked for, since totals with a count of 0 come out of an index too.
_TOP_PAGE_ROWS = 100


@dataclass(frozen=True, slots=True)
class Total:
    """A total that is not absent: the texts of its keys by their names, and its amounts by the names of measures.

    `keys` is empty in a hierarchy, where the identifier says it all.
    """

    identifier: str
    grouping: str
    keys: Mapping[str, str]
    amounts: Mapping[str, Decimal]


@dataclass(frozen=True, slots=True)
class Found:
    """What was read: `source` says from where, `rows` and `units` (None: not told) what that took."""

    totals: Sequence[Total]
    source: str
    rows: int
    units: Decimal | None
    is_of_index: bool = False


class _Taken:
    """Counts the rows of pages and the read units that these took, as they go by."""

    def __init__(self, *, is_index: bool = False) -> None:
        self._is_index = is_index
        self._rows = 0
        self._units: Decimal | None = Decimal(0)

    def rows_of(self, pages: Iterable[Mapping[str, Any]]) -> Iterator[Sequence[Mapping[str, Any]]]:
        """The rows of each page. A service that does not tell the units of one does not tell their sum."""
        for page in pages:
            self._rows += len(page["Items"])
            units = page.get("ConsumedCapacity", {}).get("CapacityUnits")
            if units is None or self._units is None:
                self._units = None
            else:
                self._units += Decimal(str(units))
            yield page["Items"]

    def found(self, totals: Iterable[Total], source: str) -> Found:
        """What was read, once all of it was."""
        read = list(totals)
        units = None if self._units is None else self._units.normalize()
        return Found(read, source, self._rows, units, self._is_index)


@dataclass(eq=False)
class TotalsReader:
    """Reads the totals of one table under the live configuration."""

    client: DynamoDBClient
    table: str
    key: str
    configuration: Configuration
    clock: Callable[[], float] = time.time

    def __post_init__(self) -> None:
        self._at = self.clock()

    # -- what may be asked for

    @cached_property
    def groupings(self) -> Mapping[str, Grouping]:
        """The groupings by their names; none in a hierarchy."""
        document = json.loads(self.configuration.document)
        return {
            name: Grouping.parse(name, given)
            for name, given in document.get("group_by", {}).items()
        }

    @property
    def measures(self) -> Sequence[str]:
        """The names of the measures."""
        return self.configuration.names

    @cached_property
    def count(self) -> str | None:
        """The measure that counts rows; None where there is none."""
        names = (each.name for each in self.configuration.measures if each.field is None)
        return next(names, None)

    def identifier(self, grouping: str, keys: Mapping[str, str]) -> str:
        """The identifier of a grouping's total with these keys. Raises LedaError where it has no such total."""
        found = self.require(grouping)
        names = [key.name for key in found.keys]
        given = names[: len(keys)]
        if given != [name for name in names if name in keys] or len(given) != len(keys):
            raise LedaError(
                f"the grouping {grouping} has the keys {', '.join(names)}, and not {', '.join(keys)}",
                "give keys by these names, from the first on",
            )
        if len(given) < len(names) and not found.is_rollup:
            raise LedaError(
                f"the grouping {grouping} has a total for each {', '.join(names)}, and none for {', '.join(given)}",
                "give all keys, or none: that reads the whole grouping",
            )
        if isinstance(self.configuration.totals, PlainKey):
            return keys[names[0]]
        return SEPARATOR.join([grouping, *(escaped(keys[name]) for name in given)])

    def require_identifier(self, identifier: str) -> None:
        """Raise LedaError for a text that no total of the live configuration can have for its identifier."""
        most = self.configuration.totals.max_identifier_bytes
        if len(identifier.encode(errors="surrogateescape")) > most:
            raise LedaError(
                f"an identifier has at most {most} bytes, and this one has more",
                "give a total's identifier",
            )
        if isinstance(self.configuration.totals, HierarchyPath):
            if "" in identifier.split(SEPARATOR):
                raise LedaError(
                    f"{identifier} is not the identifier of a total: no level of a hierarchy is empty",
                    "give the names of the levels, joined by colons",
                )
            return
        if isinstance(self.configuration.totals, PlainKey) and identifier[:1] in ("", SEPARATOR):
            raise LedaError(
                f"{identifier or 'an empty text'} is not the identifier of a total: with plain identifiers, a row "
                f"whose key is empty or begins with {SEPARATOR} cannot be counted",
                "`leda redrive`, with the options of this command that name the aggregation, lists such rows",
            )
        labels = self.configuration.labels(identifier)
        name = identifier.partition(SEPARATOR)[0]
        found = self.groupings.get(name)
        if labels is not None:
            if isinstance(self.configuration.totals, PlainKey) or found is None:
                return
            meant = self.identifier(name, labels.keys)
            if meant == identifier:
                return
            raise LedaError(
                f"{identifier} is not the identifier of a total: in an identifier % is written %25, and an empty text "
                "%",
                f"give {meant} if that is meant, or --grouping {name} with --key, which need no escaping",
            )
        if found is None:
            raise LedaError(
                f"{identifier} is not the identifier of a total: the live configuration has no grouping {name}",
                f"begin with one of {', '.join(self.groupings)}, or give --grouping",
            )
        form = SEPARATOR.join([name, *(f"<{key.name}>" for key in found.keys)])
        raise LedaError(
            f"{identifier} is not the identifier of a total: those of the grouping {name} are {form}",
            f"give one; `--grouping {name}` reads the whole grouping, and with --key you need not escape colons",
        )

    def require(self, name: str) -> Grouping:
        """The grouping with that name. Raises LedaError where the live configuration has none."""
        found = self.groupings.get(name)
        if found is None:
            known = ", ".join(self.groupings)
            raise LedaError(
                f"the live configuration has no grouping {name}",
                f"name one of {known}" if known else "it is a hierarchy: give a total's identifier",
            )
        return found

    # -- reading

    def one(self, identifier: str) -> Found:
        """The total with that identifier, if it is not absent."""
        answer = self.client.get_item(
            TableName=self.table,
            Key={self.key: {"S": identifier}},
            ConsistentRead=True,
            ReturnConsumedCapacity="TOTAL",
            **self._projection(),
        )
        taken = _Taken()
        pages = [{**answer, "Items": [answer["Item"]] if "Item" in answer else []}]
        return taken.found(self._totals(taken.rows_of(pages)), f"one row of {self.table}")

    def children(self, parent: str) -> Found:
        """The totals right below a node, by identifier; an empty `parent` stands for the top of a hierarchy."""
        if not self._has_index(CHILDREN):
            return self._scan(lambda total: self._parent(total) == parent)
        taken = _Taken(is_index=True)
        totals = self._totals(taken.rows_of(self._query(CHILDREN, parent)))
        return taken.found(sorted(totals, key=_by_identifier), f"the index {CHILDREN}")

    def top(self, parent: str, measure: str, count: int) -> Found:
        """The first of a node's children by a measure, the highest first; equals are ordered by identifier.

        An index does not say in which order equals come, so all that tie with the last one are read.
        """
        name = TOP + measure
        if not self._has_index(name):
            found = self.children(parent)
            return replace(found, totals=_first(found.totals, measure, count))
        taken, totals = _Taken(is_index=True), dict[str, Total]()
        for rows in taken.rows_of(self._query(name, parent, descending=True)):
            # A total that moves while pages are read comes twice: the later row is the newer one.
            totals |= {total.identifier: total for total in self._totals([rows])}
            first = _first(totals.values(), measure, count)
            if len(first) == count and rows:
                lowest = amount_of(rows[-1].get(measure)) or Decimal(0)
                if lowest < first[-1].amounts[measure]:
                    break
        return taken.found(_first(totals.values(), measure, count), f"the index {name}")

    def whole(self, grouping: str | None) -> Found:
        """All totals of a grouping, or of the table, by identifier."""
        if grouping is None:
            return self._scan(lambda _total: True)
        if not self.require(grouping).is_rollup:
            return self.children(grouping)
        return self._scan(lambda total: total.grouping == grouping)

    def _scan(self, wanted: Callable[[Total], bool]) -> Found:
        taken = _Taken()
        pages = self._pages(self.client.scan, {"ConsistentRead": True, "TableName": self.table})
        totals = filter(wanted, self._totals(taken.rows_of(pages)))
        return taken.found(sorted(totals, key=_by_identifier), f"a scan of {self.table}")

    def _query(
        self, index: str, parent: str, *, descending: bool = False
    ) -> Iterator[Mapping[str, Any]]:
        request: dict[str, Any] = {
            "TableName": self.table,
            "IndexName": index,
            "KeyConditionExpression": "#parent = :parent",
            "ExpressionAttributeValues": {":parent": {"S": parent}},
            "ScanIndexForward": not descending,
        }
        if descending:
            request["Limit"] = _TOP_PAGE_ROWS
        return self._pages(self.client.query, request)

    def _pages(self, call: Any, request: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        projection = self._projection()
        if "IndexName" in request:
            names = projection["ExpressionAttributeNames"] | {"#parent": PARENT}
            projection |= {"ExpressionAttributeNames": names}
        whole = {**request, **projection, "ReturnConsumedCapacity": "TOTAL"}
        while True:
            page = call(**whole)
            yield page
            if "LastEvaluatedKey" not in page:
                return
            whole["ExclusiveStartKey"] = page["LastEvaluatedKey"]

    def _projection(self) -> dict[str, Any]:
        names = {
            f"#a{place}": name for place, name in enumerate((self.key, *self.configuration.names))
        }
        return {"ProjectionExpression": ", ".join(names), "ExpressionAttributeNames": names}

    def _totals(self, pages: Iterable[Sequence[Mapping[str, Any]]]) -> Iterator[Total]:
        """The totals in pages of rows that are not absent."""
        for row in chain.from_iterable(pages):
            identifier = row[self.key]["S"]
            amounts = {
                name: amount_of(row.get(name)) or Decimal(0) for name in self.configuration.names
            }
            is_present = amounts[self.count] if self.count else any(amounts.values())
            if not is_present or identifier.startswith(RESERVED):
                continue
            if self.configuration.has_expired(identifier, self._at):
                continue
            named = self._named(identifier)
            if named is not None:
                yield Total(identifier, *named, amounts)

    def _named(self, identifier: str) -> tuple[str, Mapping[str, str]] | None:
        """The total's grouping and keys; None for one that the live configuration does not keep."""
        if isinstance(self.configuration.totals, HierarchyPath):
            return "", {}
        labels = self.configuration.labels(identifier)
        return None if labels is None else (labels.grouping, labels.keys)

    def _parent(self, total: Total) -> str:
        labels = self.configuration.labels(total.identifier)
        return total.identifier.rpartition(SEPARATOR)[0] if labels is None else labels.parent

    # -- indexes

    def _has_index(self, name: str) -> bool:
        """Whether the table has the index, filled and with all measures. A hierarchy's totals are in none."""
        return not isinstance(self.configuration.totals, HierarchyPath) and name in self._indexes

    @cached_property
    def _indexes(self) -> set[str]:
        table = self.client.describe_table(TableName=self.table)["Table"]
        return {
            index["IndexName"]
            for index in table.get("GlobalSecondaryIndexes", ())
            if index["IndexStatus"] == "ACTIVE" and self._has_measures(index)
        }

    def _has_measures(self, index: Mapping[str, Any]) -> bool:
        projection = index["Projection"]
        held = {key["AttributeName"] for key in index["KeySchema"]}
        held.update(projection.get("NonKeyAttributes", ()))
        return projection["ProjectionType"] == "ALL" or held.issuperset(self.configuration.names)


def average(total: Total, measure: str, count: str) -> Decimal:
    """The sum of a measure by the number of rows, rounded to 16 significant digits."""
    return _ROUNDED.divide(total.amounts[measure], total.amounts[count]).normalize(_ROUNDED)


_ROUNDED = Context(prec=16)


def _by_identifier(total: Total) -> bytes:
    """The order of strings in DynamoDB, which is that of their UTF-8 bytes."""
    return total.identifier.encode()


def _by_amount(total: Total, measure: str) -> tuple[Decimal, bytes]:
    return total.amounts[measure].copy_negate(), total.identifier.encode()


def _first(totals: Iterable[Total], measure: str, count: int) -> Sequence[Total]:
    return sorted(totals, key=lambda total: _by_amount(total, measure))[:count]
