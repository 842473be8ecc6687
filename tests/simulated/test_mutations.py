"""The simulation finds faults of the engine: with each mutation built in, a total is wrong.

Without these tests, a simulation that exercises nothing would pass. Each mutation breaks a rule of
docs/exactly-once.md. test_directed.py has the rules that random schedules do not test.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from leda.engine import delta_rows, registry
from leda.engine.delta_rows import amounts_of
from leda.engine.group_by import configuration
from leda.engine.map.map_rows import MapRows, _LaneWriter
from leda.engine.map.source_shards import SourceShards
from leda.engine.reduce import epochs, reduce_batch, totals
from leda.engine.reduce.epochs import Epochs
from leda.engine.reduce.reduce_batch import StatementKind
from leda.engine.reduce.total_statements import TotalStatements
from leda.engine.reduce.totals import Totals
from leda.streams import changes, stream_records
from leda.streams.stream_records import LONGEST_SEQUENCE_NUMBER
from simulation.pipeline import Pipeline
from simulation.plans import LOSS, NARROW, STREAMS
from simulation.runs import plan, run
from support.mutations import finds_each_mutation

pytestmark = pytest.mark.slow

# Without a mutation all of these pass (test_simulation plays them).
SEEDS = range(1, 301)
# A rebuild does not repair what a mutation breaks.
WITHOUT = {LOSS, STREAMS, NARROW}

Patch = pytest.MonkeyPatch


# -- Map


def the_row_is_put_without_a_condition(patch: Patch) -> None:
    def put(self: Any, request: dict[str, Any], send: Callable[..., Any]) -> Any:
        return send(**without_condition(request))

    change_put(patch, put)


def the_rows_last_change_counts_as_new(patch: Patch) -> None:
    """A row that ends with the batch's first change meets the condition, too."""

    def put(self: Any, request: dict[str, Any], send: Callable[..., Any]) -> Any:
        first = request["ExpressionAttributeValues"][":first"]
        before = int(first["S"].partition(".")[0])
        first["S"] = f"{before + 1:0{LONGEST_SEQUENCE_NUMBER}d}~"
        return send(**request)

    change_put(patch, put)


def nothing_is_dropped_when_the_condition_fails(patch: Patch) -> None:
    """The whole part again, on the condition that the row is still as it came back."""
    patch.setattr(_LaneWriter, "_not_covered", lambda self, todo: list(todo))
    stored: dict[int, str] = {}

    def put(self: Any, request: dict[str, Any], send: Callable[..., Any]) -> Any:
        if id(self) in stored:
            request["ExpressionAttributeValues"][":first"] = {"S": stored.pop(id(self)) + "~"}
        try:
            return send(**request)
        except ClientError as error:
            row: Any = error.response.get("Item")
            if row:
                stored[id(self)] = row["Sequence"]["S"]
            raise

    change_put(patch, put)


def one_change_too_many_is_dropped(patch: Patch) -> None:
    real = _LaneWriter._not_covered

    def not_covered(self: Any, todo: Any) -> Any:
        left = real(self, todo)
        return [part for part in (left[0][1:], *left[1:]) if part] if left else left

    patch.setattr(_LaneWriter, "_not_covered", not_covered)


def the_row_says_the_first_change_as_its_sequence(patch: Patch) -> None:
    def put(self: Any, request: dict[str, Any], send: Callable[..., Any]) -> Any:
        request["Item"]["Sequence"] = request["ExpressionAttributeValues"][":first"]
        return send(**request)

    change_put(patch, put)


def a_lost_answer_is_taken_for_a_write(patch: Patch) -> None:
    def put(self: Any, request: dict[str, Any], send: Callable[..., Any]) -> Any:
        try:
            return send(**request)
        except ReadTimeoutError:
            return {}

    change_put(patch, put)


def a_lost_answer_is_taken_for_a_failure_that_wrote_nothing(patch: Patch) -> None:
    def put(self: Any, request: dict[str, Any], send: Callable[..., Any]) -> Any:
        try:
            return send(**request)
        except ReadTimeoutError:
            return send(**without_condition(request))

    change_put(patch, put)


def the_lanes_number_is_that_of_the_environment(patch: Patch) -> None:
    real = SourceShards.of

    def of(self: Any, shard: Any, created: Any) -> Any:
        found = real(self, shard, created)
        return found and replace(found, lanes=self._lanes)

    patch.setattr(SourceShards, "of", of)


def the_configuration_is_that_of_the_environment(patch: Patch) -> None:
    real = SourceShards.of

    def of(self: Any, shard: Any, created: Any) -> Any:
        found = real(self, shard, created)
        return found and replace(found, configuration=self._deployed)

    patch.setattr(SourceShards, "of", of)


def rows_live_for_a_minute(patch: Patch) -> None:
    real = MapRows.__init__

    def init(
        self: Any, client: Any, table: Any, limits: Any, shards_: Any, retention: int, *rest: Any
    ) -> None:
        real(self, client, table, limits, shards_, 60, *rest)

    patch.setattr(MapRows, "__init__", init)


def records_are_taken_in_the_order_of_the_batch(patch: Patch) -> None:
    patch.setattr(
        stream_records,
        "read",
        lambda records: stream_records.Batch([stream_records.read_one(raw) for raw in records]),
    )


def a_minus_rounds_to_28_digits(patch: Patch) -> None:
    """Decimal's minus, outside of a context that is exact."""
    patch.setattr(configuration, "_negated", lambda amount: -amount)


def the_old_image_is_not_taken_out(patch: Patch) -> None:
    real = changes.read

    def only_new(record: Any, contribution: Any, *, keeps_expired: bool) -> Any:
        _, new, reasons = real(record, contribution, keeps_expired=keeps_expired)
        return None, new, reasons

    patch.setattr(changes, "read", only_new)


# -- Reduce


def totals_are_updated_without_a_condition(patch: Patch) -> None:
    change_statements(
        patch,
        lambda text, applied: text.split(f' AND ("{applied}"')[0]
        + f' AND ("{applied}" IS MISSING OR "{applied}" <> ?)',
    )


def the_totals_checkpoint_counts_as_new(patch: Patch) -> None:
    change_statements(
        patch, lambda text, applied: text.replace(f'"{applied}" < ?', f'"{applied}" <= ?')
    )


def the_checkpoint_is_the_first_row_of_the_total(patch: Patch) -> None:
    real = reduce_batch.pending_totals

    def pending_totals(rows: Any) -> Any:
        found = real(rows)
        for each in found:
            each.last = each.first
        return found

    patch.setattr(totals, "pending_totals", pending_totals)


def the_checkpoint_is_the_batchs_end_before_all_is_added(patch: Patch) -> None:
    """One row of a total is lost where several come in a batch."""
    real = reduce_batch.pending_totals

    def pending_totals(rows: Any) -> Any:
        found = real(rows)
        for each in found:
            if each.sums is not None:
                each.sums = list(amounts_of(each.texts))
        return found

    patch.setattr(totals, "pending_totals", pending_totals)


def a_total_has_one_checkpoint_for_every_number_of_lanes(patch: Patch) -> None:
    patch.setattr(delta_rows.Lane, "applied", property(lambda lane: f"Applied{lane.version}"))


def epochs_are_not_looked_at(patch: Patch) -> None:
    patch.setattr(totals, "position", lambda _epoch, sequence: epochs.position(1, sequence))


def an_epoch_is_drawn_by_every_environment(patch: Patch) -> None:
    patch.setattr(Epochs, "_stored", lambda self, shard: None)
    patch.setattr(
        Epochs, "_assign", lambda self, shard, created: self._registry.next_number(registry.EPOCHS)
    )


def a_replaced_row_is_not_taken(patch: Patch) -> None:
    """Reduce's mapping lets INSERT through alone, as that of the engine before did."""
    real = Totals.apply

    def apply(self: Any, shard: Any, records: Any) -> Any:
        return real(self, shard, [each for each in records if each.event_name != "MODIFY"])

    patch.setattr(Totals, "apply", apply)


def no_answer_is_taken_for_a_write(patch: Patch) -> None:
    real = Totals._ask

    def ask(self: Any, line: Any, part: Any) -> Any:
        return [{} if each.get("Code") == "NoAnswer" else each for each in real(self, line, part)]

    patch.setattr(Totals, "_ask", ask)


def no_answer_is_taken_for_a_failure_that_wrote_nothing(patch: Patch) -> None:
    """Again, on no condition."""
    real = Totals._ask

    def ask(self: Any, line: Any, part: Any) -> Any:
        answers = list(real(self, line, part))
        for place, (each, answer) in enumerate(zip(part, answers, strict=True)):
            if answer.get("Code") == "NoAnswer" and each.kind is StatementKind.UPDATE:
                statement = line.statement(each)
                text = statement["Statement"].split(" AND (")[0]
                statement = {"Statement": text, "Parameters": statement["Parameters"][:-1]}
                answers[place] = self._client.batch_execute_statement(Statements=[statement])[
                    "Responses"
                ][0].get("Error", {})
        return answers

    patch.setattr(Totals, "_ask", ask)


def reduces_table_has_no_local_index(patch: Patch) -> None:
    tables = Pipeline.TABLES["LEDA"]
    without = {**tables, "ReduceTable": replace(tables["ReduceTable"], local_index=None)}
    patch.setattr(Pipeline, "TABLES", {**Pipeline.TABLES, "LEDA": without})


test_the_simulation_finds = finds_each_mutation(
    globals(), lambda: any(is_wrong(seed) for seed in SEEDS)
)


# -- how


def is_wrong(seed: int) -> bool:
    """Whether a total is wrong after the seed's schedule, in which nothing is lost on purpose."""
    families = tuple(each for each in plan(seed).families if each not in WITHOUT)
    return run(plan(seed, families)).wrong


def change_put(patch: Patch, put: Callable[[Any, dict[str, Any], Callable[..., Any]], Any]) -> None:
    """Let `put(writer, request, send)` put Map's rows."""
    real = _LaneWriter._put

    def changed(self: Any, part: Any, sums: Any) -> Any:
        client = self._client

        class Client:
            def put_item(_self, **request: Any) -> Any:
                return put(self, request, client.put_item)

        self._client = Client()
        try:
            return real(self, part, sums)
        finally:
            self._client = client

    patch.setattr(_LaneWriter, "_put", changed)


def without_condition(request: Mapping[str, Any]) -> dict[str, Any]:
    left = ("ConditionExpression", "ExpressionAttributeNames", "ExpressionAttributeValues")
    return {name: value for name, value in request.items() if name not in left}


def change_statements(patch: Patch, change: Callable[[str, str], str]) -> None:
    """Change the text of Reduce's UPDATEs; `change` gets the text and the checkpoint's attribute."""
    real = TotalStatements.__init__

    def init(self: Any, table: str, key: str, applied: str, measures: Sequence[str]) -> None:
        real(self, table, key, applied, measures)
        self.update, self.move = change(self.update, applied), change(self.move, applied)

    patch.setattr(TotalStatements, "__init__", init)
