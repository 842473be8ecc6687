"""The simulation finds faults in the engine of transactions (scores, shop) and in the replica.

Without these tests a simulation that exercises nothing would pass for ever. What a mutation takes out is a rule
of docs/exactly-once.md.
"""

import itertools
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

import pytest

from leda import replica, streams
from leda.checkpoints import Checkpoints, Position
from leda.exactly_once import ExactlyOnce
from leda.item_changes import ItemChange
from leda.lanes import Lane
from leda.replica import Replica
from leda.transactions import Verdict
from simulation.functions import KILLS, LOST
from simulation.plans import DOUBLE, RESHARD, WINDOW
from simulation.runs import plan, run

# Without a mutation all of these pass (test_simulation plays them).
SEEDS = range(1, 201)

Patch = pytest.MonkeyPatch
Actions = list[dict[str, Any]]


def no_condition_on_the_checkpoint(patch: Patch) -> None:
    change_actions(
        patch, lambda _lane, actions: [without_condition(a) for a in actions if "Update" in a]
    )


def checkpoint_after_the_effects_in_a_transaction_of_its_own(patch: Patch) -> None:
    commit_in_two(patch, checkpoint_first=False)


def checkpoint_before_the_effects_in_a_transaction_of_its_own(patch: Patch) -> None:
    commit_in_two(patch, checkpoint_first=True)


def the_checkpoints_record_counts_as_new(patch: Patch) -> None:
    """`<` where `<=` belongs, for a position that was read (after a commit it would never come to an end)."""
    read, moved = Checkpoints.read, Checkpoints.moved
    patch.setattr(Checkpoints, "read", lambda self, lane: OneBehind(**asdict(read(self, lane))))

    def after(lane: Lane, position: Position, last: int) -> Position:
        return Position(**asdict(moved(lane, position, last)))

    patch.setattr(Checkpoints, "moved", staticmethod(after))


class OneBehind(Position):
    __slots__ = ()

    @property
    def floor(self) -> int:
        return Position.floor.fget(self) - 1  # type: ignore[attr-defined,no-any-return]


def a_record_of_the_batch_is_skipped_as_if_it_were_covered(patch: Patch) -> None:
    real = Position.floor.fget  # type: ignore[attr-defined]
    patch.setattr(Position, "floor", property(lambda position: real(position) + 1))


def a_shards_first_move_does_not_hold_the_streams_row(patch: Patch) -> None:
    """It still counts the shard."""

    def unheld(lane: Lane, actions: Actions) -> Actions:
        if lane.is_whole_stream:
            return actions
        return [actions[0], *(without_condition(action) for action in actions[1:])]

    change_actions(patch, unheld)


def the_stream_moves_the_highest_shards_row_without_holding_it(patch: Patch) -> None:
    def unheld(lane: Lane, actions: Actions) -> Actions:
        if not lane.is_whole_stream:
            return actions
        return [actions[0], *(without_condition(action) for action in actions[1:])]

    change_actions(patch, unheld)


def the_stream_holds_the_highest_shards_row_without_moving_it(patch: Patch) -> None:
    """No fence: what is applied under the stream's ARN moves no row that a shard's delivery has a condition on."""

    def unmoved(lane: Lane, actions: Actions) -> Actions:
        if not lane.is_whole_stream:
            return actions
        return [actions[0], *(only_condition(action) for action in actions[1:])]

    change_actions(patch, unmoved)


def the_stream_moves_no_shards_row(patch: Patch) -> None:
    change_actions(patch, lambda lane, actions: actions[:1] if lane.is_whole_stream else actions)


def shards_are_not_counted_in_the_streams_row(patch: Patch) -> None:
    def uncounted(lane: Lane, actions: Actions) -> Actions:
        return actions if lane.is_whole_stream else actions[:1]

    change_actions(patch, uncounted)


def the_stream_does_not_know_its_shards_checkpoints(patch: Patch) -> None:
    real = Checkpoints.read

    def read(self: Checkpoints, lane: Lane) -> Position:
        position = real(self, lane)
        return Position(position.own, position.stream, position.shards)

    patch.setattr(Checkpoints, "read", read)


def a_shard_does_not_know_the_streams_checkpoint(patch: Patch) -> None:
    real = Position.floor.fget  # type: ignore[attr-defined]

    def floor(position: Position) -> int:
        if position.highest is None and position.own != position.stream:
            return -1 if position.own is None else position.own
        found: int = real(position)
        return found

    patch.setattr(Position, "floor", property(floor))


def records_are_taken_in_the_order_of_the_batch(patch: Patch) -> None:
    patch.setattr(streams, "read", lambda records: streams.Batch([*map(streams.read_one, records)]))


def a_lost_answer_is_taken_for_a_failure_that_wrote_nothing(patch: Patch) -> None:
    """The effects again, with the checkpoint as it now is: what a retry without a condition does."""
    real = ExactlyOnce._commit

    def commit(self: ExactlyOnce, actions: Actions) -> Any:
        answer = real(self, actions)
        if answer is not None and answer.verdict is Verdict.UNKNOWN:
            effects = [a for a in actions if "CheckpointTable" not in str(a)]
            return real(self, effects) if effects else answer
        return answer

    patch.setattr(ExactlyOnce, "_commit", commit)


MUTATIONS = [
    no_condition_on_the_checkpoint,
    checkpoint_after_the_effects_in_a_transaction_of_its_own,
    checkpoint_before_the_effects_in_a_transaction_of_its_own,
    the_checkpoints_record_counts_as_new,
    a_record_of_the_batch_is_skipped_as_if_it_were_covered,
    the_stream_moves_the_highest_shards_row_without_holding_it,
    the_stream_holds_the_highest_shards_row_without_moving_it,
    the_stream_moves_no_shards_row,
    the_stream_does_not_know_its_shards_checkpoints,
    a_shard_does_not_know_the_streams_checkpoint,
    records_are_taken_in_the_order_of_the_batch,
    a_lost_answer_is_taken_for_a_failure_that_wrote_nothing,
]


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.__name__)
def test_the_simulation_finds(
    monkeypatch: pytest.MonkeyPatch, mutation: Callable[[Patch], None]
) -> None:
    mutation(monkeypatch)

    assert any(run(plan(seed, system="scores")).wrong for seed in SEEDS)


@pytest.mark.parametrize(
    "mutation",
    [a_shards_first_move_does_not_hold_the_streams_row, shards_are_not_counted_in_the_streams_row],
    ids=lambda mutation: mutation.__name__,
)
def test_the_simulation_finds_what_takes_a_shards_first_delivery(
    monkeypatch: pytest.MonkeyPatch, mutation: Callable[[Patch], None]
) -> None:
    """A shard has one, so schedules are played in which it more often meets one under the stream's name."""
    mutation(monkeypatch)

    families = (WINDOW, DOUBLE, RESHARD, KILLS, LOST)
    assert any(run(plan(seed, families, "scores")).wrong for seed in SEEDS)


def the_replica_takes_what_comes_last(patch: Patch) -> None:
    numbers = itertools.count()
    patch.setattr(replica, "place", lambda _change: f"{next(numbers):012d}")


def a_removed_item_leaves_no_place_in_the_replica(patch: Patch) -> None:
    real = Replica._row

    def row(self: Replica, change: ItemChange) -> dict[str, Any]:
        made = real(self, change)
        if change.record.new is None:
            del made[self._marks.place]
        return made

    patch.setattr(Replica, "_row", row)


@pytest.mark.parametrize(
    "mutation",
    [the_replica_takes_what_comes_last, a_removed_item_leaves_no_place_in_the_replica],
    ids=lambda mutation: mutation.__name__,
)
def test_the_simulation_finds_in_the_replica(
    monkeypatch: pytest.MonkeyPatch, mutation: Callable[[Patch], None]
) -> None:
    mutation(monkeypatch)

    assert any(run(plan(seed, system="replica")).wrong for seed in SEEDS)


# -- how


def change_actions(patch: Patch, change: Callable[[Lane, Actions], Actions]) -> None:
    real = Checkpoints.advance

    def advance(self: Checkpoints, lane: Lane, position: Position, last: int) -> Actions:
        return change(lane, real(self, lane, position, last))

    patch.setattr(Checkpoints, "advance", advance)


def without_condition(action: dict[str, Any]) -> dict[str, Any]:
    update = dict(action["Update"])
    del update["ConditionExpression"]
    used = set(re.findall(r"[#:]\w+", update["UpdateExpression"]))
    return {"Update": update | of_placeholders(update, used)}


def only_condition(action: dict[str, Any]) -> dict[str, Any]:
    """The action's ConditionCheck: it changes nothing."""
    check = dict(action["Update"])
    del check["UpdateExpression"]
    used = set(re.findall(r"[#:]\w+", check["ConditionExpression"]))
    return {"ConditionCheck": check | of_placeholders(check, used)}


def of_placeholders(request: dict[str, Any], used: set[str]) -> dict[str, Any]:
    """The request's names and values that are used: DynamoDB refuses the others."""
    return {
        attributes: {name: value for name, value in request[attributes].items() if name in used}
        for attributes in ("ExpressionAttributeNames", "ExpressionAttributeValues")
    }


def commit_in_two(patch: Patch, checkpoint_first: bool) -> None:
    real = ExactlyOnce._commit

    def commit(self: ExactlyOnce, actions: Actions) -> Any:
        halves: Sequence[Actions] = [
            [action for action in actions if ("CheckpointTable" in str(action)) is is_checkpoint]
            for is_checkpoint in (checkpoint_first, not checkpoint_first)
        ]
        for half in filter(None, halves):
            if (answer := real(self, half)) is not None:
                return answer
        return None

    patch.setattr(ExactlyOnce, "_commit", commit)
