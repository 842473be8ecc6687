"""Messages of the deployed tests, written as JSON text, so that no number becomes a float."""

from __future__ import annotations

import json
import random
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from leda_cli.operate.totals.oracle import Oracle, Total


@dataclass(slots=True)
class Trades:
    """The messages of one test, under a root of the hierarchy that no other test uses.

    `oracle` has seen each message that the test declares to be good.
    """

    root: str
    oracle: Oracle = field(default_factory=Oracle, repr=False)

    def message(
        self,
        name: str,
        version: int = 0,
        value: str = "1.00",
        *,
        desk: str = "FXSpot",
        region: str = "EMEA",
        deleted: bool = False,
        **more: Any,
    ) -> bytes:
        """One good message; `value` is the text of the number in the JSON."""
        fields = {
            "TradeID": f"{self.root}/{name}",
            "Version": version,
            "Hierarchy": {"RiskType": self.root, "TradeDesk": desk, "Region": region},
            "Timestamp": time.time(),
            **more,
        }
        if deleted:
            fields["Deleted"] = True
        data = f'{{"Value": {value}, {json.dumps(fields)[1:]}'.encode()
        self.oracle.see_bytes(data)
        return data

    def totals(self) -> dict[str, Total]:
        """The totals that must be under the root."""
        return self.oracle.totals()

    def load(
        self, count: int, seed: int, desks: int = 3, regions: int = 4, changes: int = 40
    ) -> Iterator[bytes]:
        """A mixture: new trades and, `changes` per cent, duplicates, newer and older versions, moves and deletions."""
        rng = random.Random(seed)
        latest: dict[str, int] = {}
        sent: list[bytes] = []
        for number in range(count):
            kind = rng.choice(["copy", "newer", "older", "delete"])
            name, version, deleted = f"{seed}-{number}", rng.randrange(3), False
            if sent and rng.randrange(100) < changes:
                if kind == "copy":
                    yield rng.choice(sent)
                    continue
                name = rng.choice(list(latest))
                # Versions of a trade differ wherever their contents do: of two equal ones either may be first.
                if kind == "older":
                    version = -1 - number
                else:
                    version, deleted = latest[name] + rng.randint(1, 9), kind == "delete"
            latest[name] = max(version, latest.get(name, version))
            data = self.message(
                name,
                version,
                _value(rng),
                desk=f"desk{rng.randrange(desks)}",
                region=f"region{rng.randrange(regions)}",
                deleted=deleted,
                Timestamp=round(time.time(), 3),
            )
            sent.append(data)
            yield data


def _value(rng: random.Random) -> str:
    """Cents mostly, and numbers that binary floats and 28 digits get wrong."""
    return rng.choice(
        [
            f"{rng.randint(-10**7, 10**7)}.{rng.randrange(100):02d}",
            f"{rng.randint(0, 10**5)}.{rng.randrange(100):02d}",
            f"{rng.randint(-10**12 + 1, 10**12 - 1)}.{rng.randrange(10**17):017d}",
            f"{rng.randint(1, 999)}e{rng.randint(-15, 9)}",
            "0.1",
        ]
    )


def new_trades(label: str) -> Trades:
    """Trades under a new root."""
    return Trades(f"{label}-{uuid.uuid4().hex[:8]}")
