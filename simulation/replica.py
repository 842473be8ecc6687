"""Change capture's replica as a system under test: at the end, the replica has exactly the source's items."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, ClassVar

from simulation.functions import in_one_thread
from simulation.mappings import Settings
from simulation.plans import COMMON, Frame, Plan, Put
from simulation.systems import LAMBDA_SRC, System, TableShape

PLACE, END = "_place", "_end"


class Replica(System):
    """Items are written, changed, deleted and written again, and the replica follows."""

    FAMILIES: ClassVar = COMMON
    SUBJECTS: ClassVar = {"LEDA": {"replica": LAMBDA_SRC / "table_replica" / "handler.py"}}
    TABLES: ClassVar = {
        "LEDA": {
            "Users": TableShape({"user_id": "S", "timestamp": "N"}),
            "UsersReplica": TableShape({"user_id": "S", "timestamp": "N"}),
        }
    }
    SOURCES: ClassVar = {"replica": "Users"}

    @classmethod
    def plan_of(cls, seed: int, families: tuple[str, ...] | None = None) -> Plan:
        """Many writes of few items, a third of them deletions."""
        frame = Frame.of("replica", seed, families, cls.FAMILIES)
        draw = frame.draw
        writes: list[tuple[str, bytes]] = []
        for number in range(draw.choice((1, 10, 40, 80))):
            row = {"email": f"{number}@example.org", "logins": draw.randrange(9)}
            if draw.random() < 0.5:
                row["name"] = draw.choice(("Zoë", "李", ""))
            data = b"" if draw.random() < 0.3 else json.dumps(row).encode()
            writes.append((f"u{draw.randrange(draw.choice((1, 4, 12)))}", data))
        shards = {"replica": draw.choice((1, 2, 3))}
        settings = Settings(
            batch_size=draw.choice((1, 4, 10, 100)),
            parallelization_factor=draw.choice((1, 1, 4)),
            bisect=draw.random() < 0.5,
        )
        return Plan(
            system="replica",
            seed=seed,
            families=frame.families,
            puts=frame.puts(writes),
            shards=shards,
            small_transactions=False,
            mappings={"replica": settings},
            fault_rate=frame.fault_rate(),
            disturbances=frame.disturbances((), shards),
        )

    @classmethod
    @contextmanager
    def installed(cls, plan: Plan) -> Iterator[None]:
        """Run in one thread."""
        with ExitStack() as stack:
            in_one_thread(stack, "leda.replica.replica", "leda.quarantine.writer")
            yield

    def variables(self) -> dict[str, str]:
        """The replica's table and its own attributes."""
        return {
            "REPLICA_TABLE": "UsersReplica",
            "REPLICA_REGION": "eu-west-1",
            "PLACE_ATTRIBUTE": PLACE,
            "END_ATTRIBUTE": END,
        }

    def put(self, put: Put) -> None:
        """Write an item, or delete it."""
        key = {"user_id": {"S": put.key}, "timestamp": {"N": "1"}}
        if not put.data:
            self.store.delete_item(TableName="Users", Key=key)
            return
        row = json.loads(put.data)
        item: dict[str, Any] = {**key, "email": {"S": row["email"]}}
        item["logins"] = {"N": str(row["logins"])}
        if "name" in row:
            item["name"] = {"S": row["name"]}
        self.store.put_item(TableName="Users", Item=item)

    def differences(self) -> dict[str, tuple[object, object]]:
        """The items that differ between the two tables, without the replica's own attributes."""
        must = {row["user_id"]["S"]: row for row in self.rows("Users")}
        found = {
            row["user_id"]["S"]: {name: value for name, value in row.items() if name != PLACE}
            for row in self.rows("UsersReplica")
            if END not in row
        }
        return {
            user: (must.get(user), found.get(user))
            for user in sorted({*must, *found})
            if must.get(user) != found.get(user)
        }
