"""Closes orders that were not paid in time, and returns their units to the stock, each order in one transaction."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from leda.aws.telemetry import count, logger
from leda.shop import paging, reading, rows, times
from leda.shop.orders import listings, orders
from leda.shop.write_loop import Decision, decide_and_write

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


# The least time that must be left to begin with an order: `decide_and_write` takes up to 20 s.
LAST_MILLISECONDS = 25_000


class ExpiryError(RuntimeError):
    """Some orders could not be closed. The next run tries them again."""


class Expiring:
    """Closes unpaid orders in one table."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def run(self, milliseconds_left: Callable[[], int]) -> int:
        """Close the orders whose time to pay is over, the oldest first; return how many it has closed.

        It ends early when the invocation has less than LAST_MILLISECONDS left. Raises ExpiryError at the end if some
        orders could not be closed.
        """
        closed, failed = 0, 0
        listing = listings.orders_by_status(orders.CREATED)
        query: dict[str, str] = {"limit": str(paging.MOST_ROWS)}
        while milliseconds_left() >= LAST_MILLISECONDS:
            page = paging.page(self._client, self._table, listing, query)
            for row in page.rows:
                # The list is sorted by the time at which the orders were made, so no later one is due.
                is_due = row.get("payBy", {}).get("S", "") <= times.now()
                if not is_due or milliseconds_left() < LAST_MILLISECONDS:
                    return self._done(closed, failed)
                try:
                    closed += self._close(row["orderId"]["S"])
                except Exception:
                    # An order that cannot be closed must not keep the others open.
                    logger.exception("an unpaid order could not be closed")
                    failed += 1
            if page.cursor is None:
                break
            query["cursor"] = page.cursor
        return self._done(closed, failed)

    @staticmethod
    def _done(closed: int, failed: int) -> int:
        count(Expired=closed)
        logger.info("expired", extra={"orders": closed})
        if failed:
            raise ExpiryError(f"{failed} unpaid orders could not be closed: see the log")
        return closed

    def _close(self, identifier: str) -> bool:
        """Close the order if it is unpaid and its time is over; return whether this call has closed it."""

        def attempt() -> Decision[bool]:
            now = times.now()
            order = reading.order(self._client, self._table, identifier)
            header = orders.header_of(order)
            # The list came from an index, which is eventually consistent.
            if header is None or header["status"]["S"] != orders.CREATED:
                return Decision(False)
            pay_by = header.get("payBy", {}).get("S")
            if pay_by is None or pay_by > now:
                return Decision(False)
            return Decision(True, orders.expiry(self._table, order, now, self._sold(order)))

        return decide_and_write(self._client, attempt)

    def _sold(self, order: list[dict[str, Any]]) -> set[str]:
        """Return the products of the order's lines that the shop still sells."""
        lines = [row for row in order if rows.is_a(rows.LINE, row)]
        keys = [rows.part_key(row["sk"]["S"]) for row in lines]
        found = reading.batch(self._client, self._table, keys)
        return {pk for (pk, _), row in found.items() if rows.is_a(rows.PART, row)}
