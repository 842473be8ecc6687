"""`leda demo`: plays the workshop's game against the stack and proves its totals exact.

Each round puts a burst (`leda.pipeline.game`) into the stream while an independent oracle folds the same bytes, then
looks at AggregateTable until every total equals the oracle's. Hard rounds send duplicates, changed trades and older
versions, and make the functions fail at random through ParameterTable.
"""

from __future__ import annotations

import random
import secrets
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Annotated

import typer
from botocore.exceptions import BotoCoreError, ClientError
from rich.padding import Padding
from rich.table import Table

from leda.pipeline import game
from leda.values.texts import number_of
from leda_cli.base.errors import LedaError
from leda_cli.base.hierarchies import choices_of, levels_of
from leda_cli.base.output import console, heading, info, step, warn
from leda_cli.demos.live_page import LivePage, live_page
from leda_cli.demos.putting import put_and_show, putting_of, schema_of
from leda_cli.demos.settling import Outcome, baseline, settle
from leda_cli.demos.what_next import say_what_next
from leda_cli.operate.deployed.account import AwsOption, answering
from leda_cli.operate.putting import Putting
from leda_cli.operate.stack import FAULTS, SPECIAL_TRADES, NamePrefixOption, Stack
from leda_cli.operate.totals.comparison import (
    HOLD_SECONDS,
    PATIENCE_SECONDS,
    compare,
    difference_lines,
    fold_state,
)
from leda_cli.operate.totals.oracle import Oracle
from leda_cli.operate.totals.screen import (
    ACCENT,
    INDENT,
    RoundView,
    plain_table,
    print_table,
    totals_tree,
)

Choices = Mapping[str, Sequence[str]]
HARD = {name: game.HARD_PARAMETERS[name] for name in (SPECIAL_TRADES, *FAULTS)}
CALM = dict.fromkeys(HARD, 0)


@dataclass(slots=True)
class Round:
    """One round, as the verdict lists it."""

    number: int
    hard: bool
    counts: game.Counts
    put_seconds: float
    outcome: Outcome

    @property
    def exact(self) -> bool:
        """Whether every total settled at the expected one."""
        return not self.outcome.wrong and self.outcome.seconds is not None


def plan(rounds: int) -> list[bool]:
    """Which rounds are hard: the first half is plain, the rest is hard (of 3 rounds, 1 and 2)."""
    return [number >= rounds // 2 for number in range(rounds)]


@contextmanager
def calm_afterwards(stack: Stack) -> Iterator[None]:
    """Switch fault injection and the hard mode off in ParameterTable at the end of the block, even after an error."""
    try:
        yield
    finally:
        # A second Ctrl-C must not leave the functions failing.
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            stack.set_parameters(CALM)
        except (BotoCoreError, ClientError) as error:
            raise LedaError(
                f"fault injection could not be switched off: {error}",
                f"set {', '.join(FAULTS)} to 0 in {stack.parameter_table}, or `make down`",
            ) from error
        finally:
            signal.signal(signal.SIGINT, before)


def demo(
    rounds: Annotated[
        int,
        typer.Option(
            min=1, help="How many rounds; the second half is hard (3: one plain, two hard)."
        ),
    ] = 3,
    messages: Annotated[int, typer.Option(min=1, help="How many messages a round sends.")] = 10_000,
    hierarchy: Annotated[
        str | None,
        typer.Option(
            help="Children of a node, level by level: 20x20x24 spreads the messages over 10,020 totals.",
            show_default="the workshop's 18 totals",
        ),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="The same seed plays the same game.", show_default="random")
    ] = None,
    aws: AwsOption = False,
    name_prefix: NamePrefixOption = "",
) -> None:
    """Play the workshop's game and compare every total exactly; exit status 1 if one differs."""
    stack = Stack.find(aws, name_prefix)
    choices = (
        game.CHOICES if hierarchy is None else choices_of(levels_of(hierarchy), stack.names.levels)
    )
    seed = secrets.randbelow(10**6) if seed is None else seed
    with live_page(stack, name_prefix) as page:
        is_exact = _demo(stack, rounds, messages, choices, seed, page)
        page.end()
    if not is_exact:
        raise typer.Exit(1)


def _demo(
    stack: Stack, rounds: int, messages: int, choices: Choices, seed: int, page: LivePage
) -> bool:
    """Play the rounds and print the verdict; returns whether every total was exact."""
    played: list[Round] = []
    try:
        with answering(stack.endpoint), calm_afterwards(stack):
            agree = _play(stack, rounds, messages, choices, seed, played, page)
    except KeyboardInterrupt:
        console.print()
        if played:
            print_verdict(played, complete=False)
        info(
            "Interrupted. Fault injection is switched off; the messages sent are still being added up."
        )
        info("`leda verify` compares the totals once the pipeline is drained.")
        raise typer.Exit(130) from None
    print_verdict(played)
    is_exact = all(each.exact for each in played)
    if is_exact:
        heading("The totals")
        console.print(
            Padding(totals_tree(stack.totals()), (0, 0, 0, INDENT), expand=False), soft_wrap=False
        )
    farewell(stack, seed)
    return agree and is_exact


def _play(
    stack: Stack,
    rounds: int,
    messages: int,
    choices: Choices,
    seed: int,
    played: list[Round],
    page: LivePage,
) -> bool:
    """Play the rounds; returns whether all tables hold the messages' final state at the end."""
    kinds = plan(rounds)
    plain, hard = kinds.count(False), kinds.count(True)
    heading(
        f"The game: {plain} plain and {number_of(hard, 'hard round')} of {number_of(messages, 'message')}, seed {seed}"
    )
    stack.set_parameters(CALM)
    oracle = baseline(stack)
    page.announce()
    if len(oracle):
        info(
            f"{number_of(len(oracle), 'trade exists', 'trades exist')} already; the rounds add to them"
        )
    rng = random.Random(seed)
    for number, is_hard in enumerate(kinds, 1):
        stack.set_parameters(HARD if is_hard else CALM)
        rates = " / ".join(f"{HARD[name]} %" for name in FAULTS)
        kind = (
            f"hard: duplicates, older versions, functions fail at {rates}" if is_hard else "plain"
        )
        heading(f"Round {number} of {rounds}, {kind}")
        result = play_round(stack, oracle, number, is_hard, messages, choices, rng)
        played.append(result)
        report_round(result)
        if not result.exact:
            explain(stack, oracle)
            if number < rounds:
                info("A wrong total stays wrong, so the remaining rounds are not played.")
            return False
    heading("After the last round")
    with step("comparing AggregateTable and StateTable with the messages once more"):
        state, found = fold_state(stack).totals(), stack.totals()
    late = compare(oracle.totals(), found)
    if late:
        played[-1].outcome = Outcome(None, late)
    if late or compare(oracle.totals(), state):
        explain(stack, oracle)
        return False
    return True


def play_round(
    stack: Stack,
    oracle: Oracle,
    number: int,
    hard: bool,
    messages: int,
    choices: Choices,
    rng: random.Random,
) -> Round:
    """Put one burst and wait until its totals settle."""
    rules = replace(game.HARD if hard else game.PLAIN, messages=messages)
    burst = game.Burst(rules, rng, schema_of(stack.names), choices=choices)
    putting = putting_of(burst, stack, oracle)
    known = len(oracle)
    try:
        with RoundView(console, messages) as view:
            put_and_show(putting, stack, view)
            _report_put(burst, putting, len(oracle) - known)
            outcome = settle(stack, oracle.totals(), putting.ended, view)
    except BaseException:
        putting.stop()
        raise
    seconds = putting.ended - putting.began
    return Round(number, hard, burst.counts, seconds, outcome)


def _report_put(burst: game.Burst, putting: Putting, added: int) -> None:
    retried = f", {number_of(putting.retried, 'record')} sent again" if putting.retried else ""
    info(
        f"put {number_of(putting.sent, 'message')} in {putting.ended - putting.began:.1f} s{retried}"
    )
    if added < burst.counts.new:
        warn(
            f"{burst.counts.new - added:,} of these trades existed before, so this round proves "
            "little: the same seed was played on this stack"
        )


def report_round(result: Round) -> None:
    """Print how the totals of a round ended."""
    if result.exact:
        assert result.outcome.seconds is not None
        console.print(
            f"    [{ACCENT}]exact[/] {result.outcome.seconds:.1f} s after the last message, "
            f"and still so {HOLD_SECONDS:.0f} s later"
        )
        return
    console.print(
        f"    [bold red]{result.outcome.differing}[/] and no total moved for {PATIENCE_SECONDS:.0f} s"
    )


def explain(stack: Stack, oracle: Oracle) -> None:
    """Print which stage is wrong: StateTable and AggregateTable must agree with the messages."""
    if compare(oracle.totals(), fold_state(stack).totals()):
        info(
            "StateTable does not hold the messages' final state: look at StateLambda and quarantine."
        )
    else:
        info("StateTable holds the messages' final state: look at MapLambda and ReduceLambda.")


def verdict_table(played: Sequence[Round]) -> Table:
    """The rounds, a line each."""
    columns = ("sent", "trades", "duplicates", "changed", "older", "put", "settled")
    table = plain_table("#", "kind", *columns, "verdict", right=("#", *columns))
    for each in played:
        counts, seconds = each.counts, each.outcome.seconds
        table.add_row(
            str(each.number),
            "hard" if each.hard else "plain",
            f"{counts.messages:,}",
            f"{counts.new:,}",
            f"{counts.duplicates:,}",
            f"{counts.newer:,}",
            f"{counts.older:,}",
            f"{each.put_seconds:.1f} s",
            "never" if seconds is None else f"{seconds:.1f} s",
            (f"[{ACCENT}]exact[/]" if each.exact else f"[bold red]{each.outcome.differing}[/]"),
        )
    return table


def print_verdict(played: Sequence[Round], complete: bool = True) -> None:
    """Print the rounds, the totals that differ, and whether everything is exact."""
    heading("Verdict")
    print_table(console, verdict_table(played))
    info("put: the time to send all messages. settled: from the last message to the first")
    info(f"moment at which every total was exact; it was still so {HOLD_SECONDS:.0f} s later.")
    if any(each.hard for each in played):
        rates = ", ".join(f"{HARD[name]} % ({name.split('_')[1].title()})" for name in FAULTS)
        info(f"In hard rounds the functions fail at random: {rates}.")
    console.print()
    wrong = [each for each in played if not each.exact]
    for each in wrong:
        for line in difference_lines(each.outcome.wrong):
            info(line)
    sent = sum(each.counts.messages for each in played)
    if wrong:
        totals = sum(each.outcome.wrong_totals for each in wrong)
        console.print(
            f"    [bold red]Not exact:[/] {number_of(totals, 'total differs', 'totals differ')}."
        )
    elif complete:
        console.print(
            f"    [{ACCENT}]Exact:[/] {number_of(sent, 'message')}, no total off by any amount."
        )


def farewell(stack: Stack, seed: int) -> None:
    """Print what stays running and what to try next."""
    if stack.endpoint is None:
        heading("What stays")
        info(f"The stack: stream {stack.stream}, table {stack.aggregate_table}.")
        info(f"The same game again, on empty tables: leda demo --aws --seed {seed}")
        return
    query = "--query 'Items[].[Identifier.S,Value.N]' --output text"
    say_what_next(
        stack.endpoint,
        "the stack",
        (
            f"aws dynamodb scan --table-name {stack.aggregate_table} {query}",
            ".venv/bin/leda load --messages 2000 --delete 20 --check",
            ".venv/bin/leda console",
            ".venv/bin/leda verify",
            ".venv/bin/leda demo --rounds 6",
        ),
        ("The outputs are in .local/outputs.json.",),
    )
    info(f"The same game again, on empty tables: make down, then make demo SEED={seed}")
