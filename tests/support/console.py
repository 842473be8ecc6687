"""A console of a made-up account, whose clients a test provides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

from botocore.exceptions import ClientError

from leda.engine.group_by.configuration import Configuration
from leda_cli.console.site import Site
from leda_cli.operate.quarantine.quarantined import Bucket
from leda_cli.operate.totals.totals_reading import Total


def site(
    configuration: Configuration,
    *,
    is_local: bool = True,
    is_pipeline: bool = True,
    arguments: Sequence[str] = (),
    **clients: Any,
) -> Site:
    """A site with these clients; the names are those of the pipeline without a prefix."""
    names: dict[str, Any] = {
        "dynamodb": Calling(),
        "streams": Calling(),
        "lambdas": Calling(),
        "s3": Calling(),
        "logs": Calling(),
        "kinesis": Calling(),
        "cloudwatch": Calling(),
    } | clients
    functions = {"state": "StateLambda"} if is_pipeline else {}
    functions |= {"map": "MapLambda", "reduce": "ReduceLambda"}
    account: Any = SimpleNamespace(
        endpoint="http://127.0.0.1:4566" if is_local else None,
        functions=functions,
        stream="IncomingDataStream",
        environment={},
        **names,
    )
    aggregation: Any = SimpleNamespace(
        account=account,
        map_function="MapLambda",
        reduce_function="ReduceLambda",
        source=SimpleNamespace(name="StateTable"),
        map_mappings={"uuid": "arn:aws:dynamodb:us-east-1:1:table/StateTable/stream/1"},
        reduce_mapping="uuid",
        registry_table="RegistryTable",
        reduce_table="ReduceTable",
        totals_table="AggregateTable",
        totals_key="Identifier",
        functions=functions,
        quarantine=Bucket(account.s3, "quarantine", functions),
        live=lambda: configuration,
    )
    return Site(aggregation, account if is_pipeline else None, tuple(arguments))


class Calling:
    """A client that refuses each call that a subclass does not answer."""

    def __init__(self) -> None:
        self.meta = SimpleNamespace(
            events=SimpleNamespace(register=lambda *_: None), region_name="us-east-1"
        )
        self.exceptions = SimpleNamespace(ResourceNotFoundException=KeyError)

    def __getattr__(self, name: str) -> Any:
        def refuse(*_: Any, **__: Any) -> Any:
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no right"}}, name)

        return refuse


class ManyTotals(Calling):
    """A totals table with `count` rows, ten below each branch."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self._rows = [
            {
                "Identifier": {"S": f"Branch{place // 10:04}:Leaf{place % 10}"},
                "Count": {"N": "1"},
                "Value": {"N": str(place)},
            }
            for place in range(count)
        ]

    def scan(self, **_: Any) -> Any:
        return {"Items": self._rows, "ConsumedCapacity": {"CapacityUnits": 100.0}}


def tree(amounts: Mapping[str, str]) -> list[Total]:
    """Totals of a hierarchy with these values by identifier; each counts 1 trade."""
    return [
        Total(name, "", {}, {"Count": Decimal(1), "Value": Decimal(value)})
        for name, value in amounts.items()
    ]


def at(seconds: float) -> datetime:
    """A time in epoch seconds."""
    return datetime.fromtimestamp(seconds, UTC)
