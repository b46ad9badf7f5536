"""Sequential models that everybody knows, and histories in few words."""

from __future__ import annotations

import random
from collections.abc import Hashable, Iterable, Sequence
from itertools import permutations
from typing import Any, NamedTuple

import msgspec

from actorkalix.testkit.checking import Model
from actorkalix.testkit.history import (
    Header,
    History,
    Kind,
    Operation,
    Outcome,
    Refusal,
    history_of,
)

EMPTY = Refusal("failed_precondition", "AK2001", "empty")


def op(
    id: int,
    client: str,
    times: tuple[int, int | None],
    method: str,
    argument: Any = None,
    value: Any = None,
    outcome: Outcome = "ok",
    **more: Any,
) -> Operation:
    """An operation on entity "x" of component "c"; `get` and `read` are queries."""
    kind: Kind = "query" if method in ("get", "read") else "command"
    made = Operation(
        client=client,
        id=id,
        kind=kind,
        method=method,
        arguments=argument,
        invoked=times[0],
        returned=times[1],
        outcome=outcome,
        value=value,
        component="c",
        entity="x",
    )
    return msgspec.structs.replace(made, **more) if more else made


def history(*operations: Operation, service: str = "s") -> History:
    """A history by steps."""
    return history_of(Header(1, service, "step"), operations)


class Plain:
    """A model whose answers are a function of state, method and argument."""

    def initial(self, entity: str) -> Hashable:
        return self.start

    start: Hashable = None

    def answer(self, state: Any, operation: Operation) -> tuple[Any, Hashable]:
        """The answer and the state after it; an answer that is a `Refusal` changes nothing."""
        raise AssertionError(f"{type(self).__name__} answers nothing")

    def step(self, state: Hashable, operation: Operation) -> tuple[bool, Hashable]:
        answer, after = self.answer(state, operation)
        if operation.outcome == "unknown":
            return True, after
        is_refused = isinstance(answer, Refusal)
        given = operation.error if operation.outcome == "error" else operation.value
        return is_refused == (operation.outcome == "error") and given == answer, after

    def is_read(self, operation: Operation) -> bool:
        return operation.kind == "query"

    def explain(self, state: Hashable, operation: Operation) -> str:
        return f"it would be answered {self.answer(state, operation)[0]!r}"


class Register(Plain):
    """`set(v)` answers None, `get()` the value, `swap([old, new])` whether it was `old`."""

    def answer(self, state: Any, operation: Operation) -> tuple[Any, Hashable]:
        match operation.method:
            case "set":
                return None, operation.arguments
            case "swap":
                old, new = operation.arguments
                return (True, new) if state == old else (False, state)
            case _:
                return state, state


class Counter(Plain):
    """`add(n)` answers the sum, `read()` too."""

    start = 0

    def answer(self, state: Any, operation: Operation) -> tuple[Any, Hashable]:
        after = state + operation.arguments if operation.method == "add" else state
        return after, after


class Queue(Plain):
    """`put(v)` answers None, `take()` the oldest or the error `EMPTY`."""

    start = ()

    def answer(self, state: Any, operation: Operation) -> tuple[Any, Hashable]:
        if operation.method == "put":
            return None, (*state, operation.arguments)
        return (state[0], state[1:]) if state else (EMPTY, state)


def is_linearizable_by_force(operations: Sequence[Operation], model: Model[Any]) -> bool:
    """All orders of all subsets of what is unknown: by the definition, and slow."""
    known = [o for o in operations if o.outcome in ("ok", "error")]
    unknown = [o for o in operations if o.outcome == "unknown"]
    for chosen in range(1 << len(unknown)):
        some = known + [o for at, o in enumerate(unknown) if chosen >> at & 1]
        if any(_holds(order, model) for order in permutations(some)):
            return True
    return False


def _holds(order: Iterable[Operation], model: Model[Any]) -> bool:
    state, latest = model.initial("x"), -1
    for operation in order:
        if operation.outcome != "unknown" and (operation.returned or 0) < latest:
            return False  # it had returned before one that stands before it was invoked
        latest = max(latest, operation.invoked)
        fits, state = model.step(state, operation)
        if not fits:
            return False
    return True


class Asked(NamedTuple):
    """What a made-up client asks."""

    client: str
    entity: str
    method: str
    argument: Any = None


def answered(asked: Iterable[Asked], model: Plain) -> list[Operation]:
    """Answers of a sequential run: operation n has its moment at 1,000 n."""
    states: dict[str, Any] = {}
    made: list[Operation] = []
    for number, one in enumerate(asked, 1):
        at = 1_000 * number
        bare = op(number, one.client, (at, at), one.method, one.argument, entity=one.entity)
        state = states.get(one.entity, model.initial(one.entity))
        answer, states[one.entity] = model.answer(state, bare)
        if isinstance(answer, Refusal):
            made.append(msgspec.structs.replace(bare, outcome="error", error=answer))
        else:
            made.append(msgspec.structs.replace(bare, value=answer))
    return made


def widened(
    operations: Sequence[Operation], chance: random.Random, width: int = 20_000
) -> list[Operation]:
    """The same answers, with up to `width` before and behind, as far as clients allow."""
    last: dict[str, int] = {}
    begun: list[Operation] = []
    for one in operations:
        first = max(last.get(one.client, 0), one.invoked - chance.randrange(width))
        last[one.client] = one.invoked + 1
        begun.append(msgspec.structs.replace(one, invoked=first))
    following: dict[str, int] = {}
    made: list[Operation] = []
    for one in reversed(begun):
        assert one.returned is not None
        free = following.get(one.client, 1 << 62)
        end = max(one.returned, min(free, one.returned + chance.randrange(width)))
        following[one.client] = one.invoked
        made.append(msgspec.structs.replace(one, returned=end))
    return made[::-1]
