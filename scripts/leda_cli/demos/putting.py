"""Puts a generated burst into the stream while the totals are shown."""

from __future__ import annotations

from leda.pipeline import game
from leda.pipeline.schema import Schema
from leda_cli.operate.putting import Putting, regroup
from leda_cli.operate.stack import Stack
from leda_cli.operate.totals.oracle import Names, Oracle
from leda_cli.operate.totals.screen import RoundView


def schema_of(names: Names) -> Schema:
    """The fields of the messages to generate."""
    return Schema(
        id=names.id,
        version=names.version,
        value=names.value,
        deleted=names.deleted,
        hierarchy=names.hierarchy,
        levels=names.levels,
    )


def putting_of(burst: game.Burst, stack: Stack, oracle: Oracle) -> Putting:
    """Prepare to put a burst into the stack's stream; `oracle` sees each record that is put."""
    return Putting(
        stack.kinesis,
        stack.stream,
        regroup(burst.calls()),
        seen=lambda record: oracle.see_bytes(record.data),
    )


LOOK_SECONDS = 0.5


def put_and_show(putting: Putting, stack: Stack, view: RoundView) -> None:
    """Run `putting` to its end, and meanwhile show how the totals change."""
    putting.start()
    while putting.running(LOOK_SECONDS):
        # Without a terminal the totals are not shown, and so not read.
        view.putting(putting.sent, stack.totals() if view.live else {})
    view.putting(putting.sent, stack.totals() if view.live else {})
