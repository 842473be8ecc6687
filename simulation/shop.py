"""The shop as a system under test: orders and operators' changes by its own functions, vendor orders and the lake.

Customers repeat an order with the same token until they get an answer; some send it twice at once. fnReadStream reads
the stream and calls functions in tasks of their own, which continue when their caller has ended. The shop's counts are
groupings (see `group_by`) and are not simulated here.
"""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any, ClassVar
from unittest import mock
from uuid import UUID

from greenlet import getcurrent

from leda.shop.paging import Listing, Page
from leda.shop.stock import parts
from leda_cli.memory_dynamodb.store import Change
from simulation.functions import Failed, Function, in_one_thread
from simulation.plans import COMMON, Frame, Plan, Put
from simulation.systems import LAMBDA_SRC, System, TableShape
from simulation.world import Task, World

TABLE = "UnifiedTable"
PRODUCTS = {"vest": 12, "axe": 20, "hat": 3}
"""The stock at the beginning. A vendor order of 12 units is made when there are fewer than 10."""
REORDER_BELOW, REORDER_PIECES = 10, 12
IN_LAKE = ("part", "order", "orderLine", "vendorOrder")

# The other functions: their names in the simulation, and their folders.
CALLED = {
    "ordering": "create_order",
    "operations": "operations",
    "expiry": "expire_orders",
    "vendor": "create_vendor_order",
    "firehose": "write_firehose",
}


def _unpaid(client: Any, table: str, _listing: Listing, _query: Mapping[str, str]) -> Page:
    """The unpaid orders, the oldest first, found without the index, which the simulation's tables lack."""
    unpaid = {"itemType": {"S": "order"}, "status": {"S": "Created"}}
    items = client.scan(TableName=table, ConsistentRead=True)["Items"]
    found = [row for row in items if unpaid.items() <= row.items()]
    return Page(sorted(found, key=lambda row: str(row["ordersSort"])), None)


class Shop(System):
    """Orders are made, paid and shipped or expire, vendor orders are made, received and cancelled.

    Rows are broken, lines deleted, and parts deleted and made again.
    """

    FAMILIES: ClassVar = COMMON
    SUBJECTS: ClassVar = {"LEDA": {"reader": LAMBDA_SRC / "read_stream" / "handler.py"}}
    TABLES: ClassVar = {"LEDA": {TABLE: TableShape({"pk": "S", "sk": "S"})}}
    SOURCES: ClassVar = {"reader": TABLE}

    def __init__(self, world: World, plan: Plan, subject: str) -> None:
        self._open: Counter[str] = Counter()
        self._overlaps: list[str] = []
        self._oversold: list[str] = []
        super().__init__(world, plan, subject)
        self._draw = world.random("shop")
        self.lake = Lake(self)
        self._broken = 0
        services = {**self.functions["reader"].services, "firehose": self.lake}
        self._called = {
            name: Function(
                world,
                name,
                LAMBDA_SRC / folder / "handler.py",
                self._variables(name),
                services,
                self.weather,
                self.counts,
            )
            for name, folder in CALLED.items()
        }
        reader = self.functions["reader"]
        reader.services = {**services, "lambda": Lambda(world, self._called)}
        for product, quantity in PRODUCTS.items():
            row = parts.item(product, product, "-", 10, quantity, REORDER_BELOW, REORDER_PIECES)
            self.store.put_item(TableName=TABLE, Item=row)

    @classmethod
    def plan_of(cls, seed: int, families: tuple[str, ...] | None = None) -> Plan:
        """Some orders, for more than the stock, and operators' actions."""
        frame = Frame.of("shop", seed, families, cls.FAMILIES)
        draw = frame.draw
        writes: list[tuple[str, bytes]] = []
        for number in range(draw.choice((1, 2, 3, 6))):
            token = f"token-{number:010d}"
            lines = {product: draw.randint(1, 6) for product in draw.sample([*PRODUCTS], 2)}
            asked = json.dumps({"do": "order", "lines": lines}).encode()
            writes += [(token, asked)] * draw.choice((1, 1, 1, 2))
            if draw.random() < 0.8:
                kind = draw.choice(
                    (
                        *("ship", "ship", "receive", "receive", "receive", "delete"),
                        *("pay", "expire", "cancel", "remake"),
                    )
                )
                writes.append((token, json.dumps({"do": kind}).encode()))
            if draw.random() < 0.1:
                writes.append((token, json.dumps({"do": "break"}).encode()))
        puts = frame.puts(writes)
        if draw.random() < 0.3:
            # A rush: all orders come at once.
            puts = tuple(replace(put, at=round(put.at % 0.05, 3)) for put in puts)
        shards = {"reader": draw.choice((1, 1, 2, 3))}
        return Plan(
            system="shop",
            seed=seed,
            families=frame.families,
            puts=puts,
            shards=shards,
            small_transactions=draw.random() < 0.6,
            mappings={stage: frame.exactly_once() for stage in shards},
            fault_rate=frame.fault_rate(),
            disturbances=frame.disturbances((), shards),
        )

    @classmethod
    @contextmanager
    def installed(cls, plan: Plan) -> Iterator[None]:
        """Run in one thread with the seed's order IDs and, if the plan says so, with small transactions."""
        draw = random.Random(f"order IDs/{plan.seed}")
        with ExitStack() as stack:
            in_one_thread(stack, "leda.quarantine.writer")
            for place, value in (
                ("leda.shop.http.ordering.uuid4", lambda: UUID(int=draw.getrandbits(128))),
                ("leda.shop.stock.restocking.MOST_PARTS", 1 if plan.small_transactions else 50),
                # The simulation's invocations have a remaining time of a second.
                ("leda.shop.orders.expiring.LAST_MILLISECONDS", 0),
                ("leda.shop.orders.expiring.paging.page", _unpaid),
            ):
                stack.enter_context(mock.patch(place, value))
            # A jump of the world's clock may end a request early.
            stack.enter_context(mock.patch.object(time, "monotonic", time.time))
            yield

    def variables(self) -> dict[str, str]:
        """The table, and the functions that fnReadStream calls."""
        return {
            "SHOP_TABLE": TABLE,
            "TOTALS_TABLE": "UnifiedTableTotals",
            "DELIVERY_STREAM": "lake",
            "PAY_WITHIN_MINUTES": "1",
            "CREATE_VENDOR_ORDER_FUNCTION": "vendor",
            "WRITE_FIREHOSE_FUNCTION": "firehose",
        }

    # -- actions of customers and operators

    def put(self, put: Put) -> None:
        """Start the action of a customer or an operator."""
        asked = json.loads(put.data)
        match asked["do"]:
            case "order":
                lines = [
                    {"productId": product, "qty": quantity}
                    for product, quantity in asked["lines"].items()
                ]
                body = {
                    "clientToken": f"{put.key}-{self.plan.seed:04d}",
                    "customerId": f"customer-{put.key}",
                    "shippingOption": "drone",
                    "lines": lines,
                }
                headers = {"content-type": "application/json"}
                event = {"body": json.dumps(body), "headers": headers}
                self._ask("ordering", "POST /orders", event)
            case "ship" if order := self._some("order"):
                path = {"id": order["orderId"]["S"]}
                self._operate("POST /admin/orders/{id}/ship", path)
            case "receive" if vendor_order := self._some("vendorOrder", status={"S": "Open"}):
                path = {"id": vendor_order["vendorOrderId"]["S"]}
                self._operate("POST /admin/vendor-orders/{id}/receive", path)
            case "pay" if order := self._some("order"):
                self._operate("POST /admin/orders/{id}/pay", {"id": order["orderId"]["S"]})
            case "expire":
                self._expire()
            case "cancel" if vendor_order := self._some("vendorOrder", status={"S": "Open"}):
                path = {"id": vendor_order["vendorOrderId"]["S"]}
                self._operate("POST /admin/vendor-orders/{id}/cancel", path)
            case "remake" if part := self._some("part"):
                key = {name: part[name] for name in ("pk", "sk")}
                self.store.delete_item(TableName=TABLE, Key=key)
                self.store.put_item(TableName=TABLE, Item={**part, "restocks": {"N": "0"}})
            case "delete" if line := self._some("orderLine"):
                key = {name: line[name] for name in ("pk", "sk")}
                self.store.delete_item(TableName=TABLE, Key=key)
            case "break" if line := self._some("orderLine"):
                self._broken += 1
                bad = {**line, "sk": {"S": f"bad-{self._broken}"}, "qty": {"S": "some"}}
                self.store.put_item(TableName=TABLE, Item=bad)

    def _some(self, kind: str, **attributes: Any) -> dict[str, Any] | None:
        wanted = {"itemType": {"S": kind}, **attributes}
        found = [row for row in self.rows(TABLE) if wanted.items() <= row.items()]
        return self._draw.choice(found) if found else None

    def _operate(self, route: str, path: dict[str, str]) -> None:
        claims = {"authorizer": {"jwt": {"claims": {"sub": "olga", "token_use": "id"}}}}
        self._ask("operations", route, {"pathParameters": path, "requestContext": claims})

    def _expire(self) -> None:
        """Expire unpaid orders after their time to pay."""

        def run() -> None:
            self.world.sleep(61)
            while True:
                try:
                    self._called["expiry"].invoke({})
                except Failed:
                    self.world.sleep(self._draw.uniform(0, 10))
                else:
                    return

        self.world.spawn(run)

    def _ask(self, name: str, route: str, event: dict[str, Any]) -> None:
        """Repeat the request until its answer has a status below 500."""

        def send() -> None:
            while True:
                try:
                    answer = self._called[name].invoke({"routeKey": route, **event})
                except Failed:
                    answer = {"statusCode": 503}
                self.counts[f"{route}: {answer['statusCode']}"] += 1
                if answer["statusCode"] < 500:
                    return
                self.world.sleep(self._draw.uniform(0, 10))

        self.world.spawn(send)

    # -- expected results

    def _changed(self, change: Change) -> None:
        """Note every violation of two rules: at most one open vendor order for a part, and no stock below zero."""
        for row, step in ((change.old, -1), (change.new, 1)):
            if row and row.get("itemType") == {"S": "vendorOrder"}:
                is_open = row["status"] == {"S": "Open"}
                self._open[row["productId"]["S"]] += step * is_open
        if change.new and change.new.get("itemType") == {"S": "order"}:
            self.counts["orders that have expired"] += change.new["status"] == {"S": "Expired"}
        if change.new and change.new.get("itemType") == {"S": "part"}:
            self._oversold += [change.new["pk"]["S"]] * (int(change.new["qty"]["N"]) < 0)
        self._overlaps += [product for product, count in self._open.items() if count > 1]
        super()._changed(change)

    def differences(self) -> dict[str, tuple[object, object]]:
        """Compare orders, stock, vendor orders and the lake with the rows that they follow from."""
        table = Rows(self.rows(TABLE))
        must: dict[str, object] = {
            "orders without a token, or with two": Counter(),
            "vendor orders open at once": [],
            "oversold": [],
            "lines that the lake has not": set(),
            "lines with another status than their order": [],
            **table.wanted_vendor_orders(),
        }
        found: dict[str, object] = {
            "orders without a token, or with two": table.orders_against_tokens(),
            "vendor orders open at once": self._overlaps,
            "oversold": self._oversold,
            "lines that the lake has not": self._changes_for_the_lake() - self.lake.sequences,
            "lines with another status than their order": table.lines_against_orders(),
            **table.open_vendor_orders(),
        }
        for product, quantity in PRODUCTS.items():
            # Deleted lines were taken from the stock too.
            came = table.received(product) + self._returned(product)
            must[f"{product} in stock"] = quantity + came - self._taken(product)
            found[f"{product} in stock"] = table.stock(product)
        return {
            name: (must.get(name), found.get(name))
            for name in sorted({*must, *found})
            if must.get(name) != found.get(name)
        }

    def _history(self) -> Iterator[dict[str, Any]]:
        for shard in self.streams["reader"].shards.values():
            for record in shard.records:
                yield record.raw

    def _changes_for_the_lake(self) -> set[int]:
        found = set()
        for raw in self._history():
            image = raw["dynamodb"].get("NewImage") or raw["dynamodb"]["OldImage"]
            if image["itemType"]["S"] in IN_LAKE:
                found.add(int(raw["dynamodb"]["SequenceNumber"]))
        return found

    def _returned(self, product: str) -> int:
        """The quantity in lines of all orders that ever expired, from the stream's records."""
        returned = 0
        for raw in self._history():
            old, new = (raw["dynamodb"].get(name, {}) for name in ("OldImage", "NewImage"))
            if old.get("itemType") == {"S": "orderLine"} and old["sk"] == {"S": product}:
                expired = new.get("status") == {"S": "Expired"} != old["status"]
                returned += expired * int(old["qty"]["N"])
        return returned

    def _taken(self, product: str) -> int:
        """The quantity in all lines that were ever made, from the stream's records."""
        taken = 0
        for raw in self._history():
            row = raw["dynamodb"].get("NewImage", {})
            is_line = raw["eventName"] == "INSERT" and row["itemType"] == {"S": "orderLine"}
            if is_line and row["sk"] == {"S": product}:
                taken += int(row["qty"]["N"])
        return taken


class Rows:
    """The table's rows, and figures that follow from them, computed without the shop's code."""

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self._by_type: dict[str, list[dict[str, Any]]] = {}
        for row in rows:
            self._by_type.setdefault(row["itemType"]["S"], []).append(row)

    def of(self, kind: str) -> list[dict[str, Any]]:
        """The rows of a type."""
        return self._by_type.get(kind, [])

    def orders_against_tokens(self) -> Counter[str]:
        """The orders without exactly one token, with the number of missing tokens (negative: too many)."""
        found = Counter(row["orderId"]["S"] for row in self.of("order"))
        found.subtract(Counter(row["orderId"]["S"] for row in self.of("clientToken")))
        return Counter({order: count for order, count in found.items() if count})

    def lines_against_orders(self) -> list[str]:
        """The lines whose status differs from their order's."""
        status = {order["orderId"]["S"]: order["status"] for order in self.of("order")}
        return [
            f"{line['orderId']['S']}: {line['sk']['S']}"
            for line in self.of("orderLine")
            if line["status"] != status[line["orderId"]["S"]]
        ]

    def stock(self, product: str) -> int:
        """The quantity in stock."""
        (part,) = (row for row in self.of("part") if row["pk"]["S"] == product)
        return int(part["qty"]["N"])

    def received(self, product: str) -> int:
        """The quantity of received vendor orders."""
        return sum(
            int(row["qty"]["N"])
            for row in self.of("vendorOrder")
            if row["productId"]["S"] == product and row["status"]["S"] == "Received"
        )

    def wanted_vendor_orders(self) -> dict[str, object]:
        """The number of the open vendor order of each part that is low."""
        return {
            f"{row['pk']['S']} open vendor orders": [int(row["restocks"]["N"])]
            for row in self.of("part")
            if int(row["qty"]["N"]) < REORDER_BELOW
        }

    def open_vendor_orders(self) -> dict[str, object]:
        """The numbers of the open vendor orders of each part.

        A part that is no longer low, because orders have expired, may still have an open vendor order.
        """
        enough = {
            (row["pk"]["S"], int(row["restocks"]["N"]))
            for row in self.of("part")
            if int(row["qty"]["N"]) >= REORDER_BELOW
        }
        found: dict[str, list[int]] = {}
        for row in self.of("vendorOrder"):
            if row["status"]["S"] == "Open":
                number = int(row["vendorOrderId"]["S"].rpartition("-")[2])
                if (row["productId"]["S"], number) in enough:
                    continue
                name = f"{row['productId']['S']} open vendor orders"
                found.setdefault(name, []).append(number)
        return dict(found)


class Lake:
    """Firehose, which sometimes refuses some of a call's records."""

    def __init__(self, shop: Shop) -> None:
        self.sequences: set[int] = set()
        self._shop = shop
        self._random = shop.world.random("lake")

    def put_record_batch(
        self, *, DeliveryStreamName: str, Records: list[dict[str, bytes]]
    ) -> dict[str, Any]:
        """Accept or refuse records, as Firehose does."""
        results = []
        for record in Records:
            if not self._shop.weather.calm and self._random.random() < 0.2:
                results.append({"ErrorCode": "ServiceUnavailableException"})
                self._shop.counts["records that Firehose refused"] += 1
                continue
            results.append({"RecordId": ""})
            lines = record["Data"].splitlines()
            self.sequences |= {int(json.loads(line)["sequence_number"]) for line in lines}
        failed = sum("ErrorCode" in result for result in results)
        return {"FailedPutCount": failed, "RequestResponses": results}


class Lambda:
    """Lambda's API: an invocation is a task of its own, which continues when its caller has ended."""

    def __init__(self, world: World, functions: Mapping[str, Function]) -> None:
        self._world = world
        self._functions = functions

    def invoke(self, *, FunctionName: str, InvocationType: str, Payload: bytes) -> dict[str, Any]:
        """Invoke a function and wait for its end."""
        assert InvocationType == "RequestResponse"
        function, event = self._functions[FunctionName], json.loads(Payload)
        answers: list[dict[str, Any]] = []
        # Outside of a task there is no caller any more: the call is a late effect.
        caller = getcurrent()
        waits = isinstance(caller, Task)

        def run() -> None:
            try:
                function.invoke(event)
                answers.append({"StatusCode": 200})
            except Failed:
                answers.append({"StatusCode": 200, "FunctionError": "Unhandled"})
            if waits and isinstance(caller, Task):
                caller.wake()

        self._world.spawn(run)
        if not isinstance(caller, Task):
            return {}
        try:
            caller.wait()
        finally:
            waits = False
        return answers[0]
