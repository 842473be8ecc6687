"""Random trades, and their expected totals: a plain sum over the final state."""

import json
import random
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Context, Decimal
from fractions import Fraction

BAD = [
    b"",
    b"not json",
    b"[]",
    b"{}",
    b'{"TradeID": "t0", "Version": 99}',
    b'{"TradeID": "t1", "Version": 99, "Value": NaN, "Hierarchy": {}}',
    b'{"TradeID": "t1", "Version": "99", "Deleted": true}',
    b'{"TradeID": "t2", "Version": 99, "Value": 1e40, "Hierarchy": '
    b'{"RiskType": "PV", "TradeDesk": "a", "Region": "b"}}',
    b'{"TradeID": "t2", "Version": 99, "Value": 1, "Hierarchy": '
    b'{"RiskType": "PV", "TradeDesk": "a:b", "Region": "b"}}',
]


@dataclass(frozen=True)
class Version:
    """One version of a trade; `value` None deletes it."""

    id: str
    number: int
    value: str | None
    levels: tuple[str, str, str]

    def message(self) -> bytes:
        """The message as a producer sends it, with all digits of the value."""
        if self.value is None:
            return json.dumps(
                {"TradeID": self.id, "Version": self.number, "Deleted": True}
            ).encode()
        names = dict(zip(("RiskType", "TradeDesk", "Region"), self.levels, strict=True))
        fields = {"TradeID": self.id, "Version": self.number, "Timestamp": 1616413258.8997078}
        text = json.dumps({**fields, "Value": "<value>", "Hierarchy": names})
        return text.replace('"<value>"', self.value).encode()


def version_of(message: bytes) -> Version:
    """The version in the message."""
    fields = json.loads(message, parse_float=str, parse_int=str)
    identifier, number = fields["TradeID"], int(fields["Version"])
    if fields.get("Deleted"):
        return Version(identifier, number, None, ("", "", ""))
    names = fields["Hierarchy"]
    levels = names["RiskType"], names["TradeDesk"], names["Region"]
    return Version(identifier, number, fields["Value"], levels)


def versions(draw: random.Random, trades: int, each: int) -> list[Version]:
    """Some versions of each trade, with values that a binary float cannot hold, moves and deletions."""
    found = []
    for trade in range(trades):
        for number in sorted(draw.sample(range(3 * each), each)):
            whole, places = draw.randint(0, 10 ** draw.choice([1, 6, 12]) - 1), draw.choice(
                [0, 2, 17]
            )
            fraction = f".{draw.randint(0, 10**places - 1):0{places}d}" if places else ""
            value = f"{draw.choice(['', '-'])}{whole}{fraction}"
            levels = (
                draw.choice(["PV", "Delta"]),
                draw.choice("ab"),
                draw.choice(["EMEA", "APAC"]),
            )
            deleted = draw.random() < 0.2
            found.append(Version(f"t{trade}", number, None if deleted else value, levels))
    return found


def burst(draw: random.Random, of: list[Version], bad: int = 3) -> list[bytes]:
    """All versions in a random order, some of them repeated, and bad messages."""
    messages = [version.message() for version in [*of, *draw.choices(of, k=len(of) // 2)]]
    messages += draw.choices(BAD, k=bad)
    draw.shuffle(messages)
    return messages


def fold(of: Iterable[Version]) -> dict[str, Decimal]:
    """The total of every node over the highest version of each trade, without totals of 0."""
    sums: dict[str, Fraction] = {}
    for version in _newest(of):
        for node in _nodes(version):
            sums[node] = sums.get(node, Fraction(0)) + Fraction(version.value or 0)
    return {node: decimal_of(total) for node, total in sums.items() if total}


def count(of: Iterable[Version]) -> dict[str, int]:
    """The number of trades below every node, by the highest version of each trade."""
    return dict(Counter(node for version in _newest(of) for node in _nodes(version)))


def _newest(of: Iterable[Version]) -> list[Version]:
    """The highest version of each trade, without deletions."""
    newest: dict[str, Version] = {}
    for version in of:
        if version.id not in newest or version.number > newest[version.id].number:
            newest[version.id] = version
    return [version for version in newest.values() if version.value is not None]


def _nodes(version: Version) -> list[str]:
    return [":".join(version.levels[:depth]) for depth in (1, 2, 3)]


def decimal_of(total: Fraction) -> Decimal:
    """The fraction, a sum of decimals, as a decimal."""
    return Context(prec=100).divide(Decimal(total.numerator), Decimal(total.denominator))
