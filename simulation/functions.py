"""Lambda functions with their execution environments, and the faults of their calls to AWS."""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import CodeType, ModuleType, SimpleNamespace
from typing import Any, Self
from unittest import mock

from botocore.exceptions import ClientError

from simulation.clients import clients
from simulation.failures import Killed, cancelled, client_error, timed_out
from simulation.world import World

TIMEOUT_SECONDS = 60.0
# The client's read timeout (leda.aws.clients.STANDARD).
READ_TIMEOUT_SECONDS = 10.0
# A schedule has 20 faults on average, and rarely more than 150.
MOST_STRIKES = 500

Send = Callable[..., Any]


class Failed(Exception):
    """The invocation ended without an answer: an error, a timeout, or the end of the environment."""


# -- the faults of one call, by kind


@dataclass(frozen=True, slots=True)
class Call:
    """A call to AWS: `send(**request)` has its effect."""

    world: World
    draw: random.Random
    operation: str
    send: Send
    request: Mapping[str, Any]

    def effect(self) -> Any:
        """Make the call at AWS."""
        return self.send(**self.request)

    def later(self) -> None:
        """Make the call at AWS some time later, when nobody waits for its answer."""

        def arrive() -> None:
            with suppress(ClientError):
                self.effect()

        self.world.at(self.world.now + self.draw.expovariate(1 / 5), arrive)


def _raise(error: Callable[[], BaseException]) -> Callable[[Call], Any]:
    def strike(call: Call) -> Any:
        raise error()

    return strike


def _after(error: Callable[[], BaseException]) -> Callable[[Call], Any]:
    def strike(call: Call) -> Any:
        call.effect()
        raise error()

    return strike


def _lost_answer(call: Call) -> Any:
    call.effect()
    call.world.sleep(READ_TIMEOUT_SECONDS)
    raise timed_out()


def _late_effect(call: Call) -> Any:
    call.later()
    call.world.sleep(call.draw.uniform(0, READ_TIMEOUT_SECONDS))
    raise timed_out()


def _slow(call: Call) -> Any:
    """Take longer than the function's timeout, perhaps; the effect comes before or after the pause."""
    if call.draw.random() < 0.5:
        call.world.sleep(call.draw.uniform(5, 2 * TIMEOUT_SECONDS))
        return call.effect()
    answer = call.effect()
    call.world.sleep(call.draw.uniform(5, 2 * TIMEOUT_SECONDS))
    return answer


def _some_statements(call: Call) -> Any:
    """Let some of a batch's statements fail in a successful response.

    https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchExecuteStatement.html
    """
    statements = call.request["Statements"]
    failing = {n for n in range(len(statements)) if call.draw.random() < 0.4}
    kept = [statement for n, statement in enumerate(statements) if n not in failing]
    answers = iter(call.send(Statements=kept)["Responses"] if kept else [])
    codes = (
        "InternalServerError",
        "ThrottlingError",
        "TransactionConflict",
        "RequestLimitExceeded",
    )
    return {
        "Responses": [
            (
                {"Error": {"Code": call.draw.choice(codes), "Message": "injected"}}
                if n in failing
                else next(answers)
            )
            for n in range(len(statements))
        ]
    }


def _some_keys(call: Call) -> Any:
    """Leave some of a batch's keys unprocessed in a successful response.

    https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html
    """
    ((table, asked),) = call.request["RequestItems"].items()
    chosen = [(key, call.draw.random() < 0.4) for key in asked["Keys"]]
    left, kept = ([key for key, is_left in chosen if is_left is which] for which in (True, False))
    answer = (
        call.send(RequestItems={table: {**asked, "Keys": kept}})
        if kept
        else {"Responses": {table: []}}
    )
    return {**answer, "UnprocessedKeys": {table: {**asked, "Keys": left}} if left else {}}


TRANSACTION = ("transact_write_items",)
BATCH = ("batch_execute_statement",)
READ_BATCH = ("batch_get_item",)
ERRORS, LOST, KILLS = "errors", "lost answers", "kills"


@dataclass(frozen=True, slots=True)
class Fault:
    """One kind of fault. It can strike the calls in `operations`; if these are empty, every call."""

    family: str
    strike: Callable[[Call], Any]
    operations: tuple[str, ...] = ()


FAULTS = {
    "no connection": Fault(ERRORS, _raise(timed_out)),
    "server error": Fault(ERRORS, _raise(lambda: client_error("InternalServerError", 500))),
    "throttled": Fault(ERRORS, _raise(lambda: client_error("ThrottlingException"))),
    "refused by IAM": Fault(ERRORS, _raise(lambda: client_error("AccessDeniedException"))),
    "transaction conflict": Fault(
        ERRORS, _raise(lambda: cancelled("None", "TransactionConflict")), TRANSACTION
    ),
    "transaction throttled": Fault(
        ERRORS, _raise(lambda: cancelled("ThrottlingError", "None")), TRANSACTION
    ),
    "some statements fail": Fault(ERRORS, _some_statements, BATCH),
    "some keys are not processed": Fault(ERRORS, _some_keys, READ_BATCH),
    "lost answer": Fault(LOST, _lost_answer),
    "server error after the effect": Fault(
        LOST, _after(lambda: client_error("InternalServerError", 500))
    ),
    "effect after the timeout": Fault(LOST, _late_effect),
    "killed before the call": Fault(KILLS, _raise(Killed)),
    "killed after the call": Fault(KILLS, _after(Killed)),
    "slow call": Fault(KILLS, _slow),
}


@dataclass
class Weather:
    """Decides which calls meet a fault; `spared` names single faults that a smaller plan leaves out.

    There are at most MOST_STRIKES faults; otherwise a batch of many small requests would never succeed.
    """

    world: World
    rate: float
    families: frozenset[str]
    counts: Counter[str]
    spared: frozenset[str] = frozenset()
    struck: list[str] = field(default_factory=list)
    calm: bool = False

    def draw(self, draw: random.Random, place: str, operation: str) -> Fault | None:
        """The fault of this call, or None."""
        # Always drawn, so that a spared fault does not change later draws.
        strikes, choice = draw.random() < self.rate, draw.random()
        if self.calm or not strikes or len(self.struck) >= MOST_STRIKES:
            return None
        kinds = [
            name
            for name, fault in FAULTS.items()
            if fault.family in self.families
            and (not fault.operations or operation in fault.operations)
        ]
        if not kinds:
            return None
        kind = kinds[int(choice * len(kinds))]
        label = f"{place} {kind}"
        if label in self.spared:
            return None
        self.struck.append(label)
        self.counts[kind] += 1
        return FAULTS[kind]


# -- environments


@cache
def _compiled(path: Path) -> CodeType:
    return compile(path.read_text(), str(path), "exec")


class Environment:
    """An execution environment: a module of its own, loaded as Lambda loads it, and its calls to AWS."""

    def __init__(self, function: Function, number: int) -> None:
        self.busy = False
        self._function = function
        self._name = f"{function.name}/{number}"
        self._draw = function.world.random("environment", self._name)
        self._calls = 0
        module = ModuleType(f"{function.name}_{number}")
        with mock.patch.dict(os.environ, function.variables), clients(self._client):
            exec(_compiled(function.path), module.__dict__)  # noqa: S102
        self.handler: Callable[[Any, Any], Any] = module.__dict__["lambda_handler"]

    def _client(self, _real: Any, service: str, **_options: Any) -> Any:
        return _Client(self, self._function.services[service])

    def call(self, operation: str, send: Send, request: Mapping[str, Any]) -> Any:
        """Make the call, or let its fault strike. Other tasks run before and after the call's effect."""
        world, draw, function = self._function.world, self._draw, self._function
        self._calls += 1
        function.counts["AWS calls"] += 1
        fault = function.weather.draw(draw, f"{self._name}:{self._calls}", operation)
        call = Call(world, draw, operation, send, request)
        way_there, way_back = draw.expovariate(1 / 0.01), draw.expovariate(1 / 0.005)
        try:
            world.sleep(way_there)
        except Killed:
            # The request may have been sent.
            if draw.random() < 0.5:
                call.later()
            raise
        try:
            answer = fault.strike(call) if fault else call.effect()
        except ClientError as error:
            if not fault:
                function.counts[f"answered: {error.response['Error']['Code']}"] += 1
            world.sleep(way_back)
            raise
        world.sleep(way_back)
        return answer


class _Client:
    """A client whose calls take time and may fail."""

    def __init__(self, environment: Environment, real: Any) -> None:
        self._environment = environment
        self._real = real

    def __getattr__(self, name: str) -> Any:
        send = getattr(self._real, name)
        return lambda **request: self._environment.call(name, send, request)

    def get_paginator(self, name: str) -> Any:
        real = self._real.get_paginator(name)

        def paginate(**request: Any) -> Iterator[Any]:
            send = lambda **same: list(real.paginate(**same))  # noqa: E731
            return iter(self._environment.call(name, send, request))

        return SimpleNamespace(paginate=paginate)


@dataclass
class Function:
    """A deployed function: its code, settings and environments."""

    world: World
    name: str
    path: Path
    variables: Mapping[str, str]
    services: Mapping[str, Any]
    weather: Weather
    counts: Counter[str]

    def __post_init__(self) -> None:
        self._random = self.world.random("function", self.name)
        self._environments: list[Environment] = []
        self._started = 0

    def invoke(self, event: Mapping[str, Any]) -> Any:
        """Invoke the function in a warm or a new environment, in the current task. Raises Failed."""
        task, world = self.world.current(), self.world
        environment = self._environment()
        environment.busy = running = True

        def time_out() -> None:
            if running:
                self.counts["timeouts"] += 1
                task.interrupt(Killed())

        world.at(world.now + TIMEOUT_SECONDS, time_out)
        context = SimpleNamespace(
            function_name=self.name,
            function_version="$LATEST",
            memory_limit_in_mb=512,
            invoked_function_arn=f"arn:aws:lambda:us-east-1:000000000000:function:{self.name}",
            aws_request_id=f"{self.name}-{self.counts['invocations']}",
            get_remaining_time_in_millis=lambda: 1000,
        )
        try:
            answer = environment.handler(event, context)
        except Killed:
            # The environment and its memory are gone.
            if environment in self._environments:
                self._environments.remove(environment)
            raise Failed("killed") from None
        except Exception as error:
            self.counts[f"function errors: {type(error).__name__}"] += 1
            raise Failed(repr(error)) from error
        finally:
            running = False
            environment.busy = False
        return answer

    def forget_environments(self) -> None:
        """Make the next invocations cold starts, as after a deployment."""
        self._environments = [one for one in self._environments if one.busy]

    def _environment(self) -> Environment:
        idle = [one for one in self._environments if not one.busy]
        if idle and self._random.random() < 0.9:
            return self._random.choice(idle)
        self._started += 1
        self.counts["cold starts"] += 1
        environment = Environment(self, self._started)
        self._environments.append(environment)
        return environment


class InOrder:
    """Stands in for a ThreadPoolExecutor, and runs all calls in order in the caller's task."""

    def __init__(self, _threads: int) -> None:
        pass

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        pass

    def map(self, call: Callable[..., Any], *arguments: Any) -> Iterator[Any]:
        """Make all calls, then yield their results in order, as Executor.map does."""
        outcomes: list[tuple[Any, Exception | None]] = []
        for each in zip(*arguments, strict=True):
            try:
                outcomes.append((call(*each), None))
            except Exception as error:
                outcomes.append((None, error))
        for result, failure in outcomes:
            if failure:
                raise failure
            yield result


def in_one_thread(stack: ExitStack, *places: str) -> None:
    """Replace the thread pools of the modules at `places` (such as "leda.quarantine.writer") with InOrder."""
    for place in places:
        stack.enter_context(mock.patch(f"{place}.ThreadPoolExecutor", InOrder))
