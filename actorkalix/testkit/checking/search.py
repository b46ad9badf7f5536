"""The search for an order that explains the answers of one entity.

Theory of operation. A history is linearizable when each operation can be given one moment between
its invocation and its return so that the answers are those of the sequential model (Herlihy and
Wing, "Linearizability: a correctness condition for concurrent objects", 1990). Wing and Gong
("Testing and verifying concurrent objects", 1993) search all orders, backtracking; Lowe ("Testing
for linearizability", 2017) remembers what was searched, as pairs of the set of operations that have
their moment and the state they led to, and gives an operation its moment as late as can be: only
when some return demands it (just-in-time linearization).

So the search *stops* at returns alone. A configuration is (stop, mask, state): all returns before
the stop are explained, `mask` has the operations in flight that have had their moment already. At
the stop of an operation that has had it, the configuration moves on; else any operation in flight
may have its moment next. Bits of the mask are given out anew after a return, so masks stay as small
as the number of operations at once, whatever the length of the history.

Three orders are never tried, for another one that is tried explains whatever they do. A read that
is answered as it was has its moment at once: it changes nothing for the others. An unknown
operation that changes nothing never has one. Of unknown operations that ask for the same, the
oldest goes first. The rest is exponential in the number of operations at once, by nature (Gibbons
and Korach, 1997): hence `states_max`, beyond which the search gives up and says so.

Invariants: a configuration is expanded once; every stop that was reached is explained by the
`trail` that led there. The last stop that was ever reached is therefore the first return that
nothing explains: operations invoked before it are the fewest, from the beginning on, that no order
fits, and its trail is the longest order that holds.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, TypeAlias

import msgspec

from actorkalix.errors import HistoryUnreadable, ModelFailed
from actorkalix.testkit.history import Operation

from .models import Model

_encoder = msgspec.json.Encoder(order="sorted")

Trail: TypeAlias = "tuple[int, Trail, int] | None"
"""Operations in the order of their moments, last first, each with the trail before and a count."""

_Try: TypeAlias = tuple[int, int, int, Trail, int, int]
"""Stop, mask, state and trail, and the operation that is to have its moment next, with its bit."""
_NOBODY = -1


class Explained(NamedTuple):
    """An order fits; ids of the operations in it, unknown ones only where they were needed."""

    order: tuple[int, ...]
    states: int


class Unexplained(NamedTuple):
    """No order fits.

    Attributes:
        offending: the first operation, by its return, that no order explains.
        prefix: ids of the operations invoked before that.
        order: the longest order that holds.
        said: what the model answers to the offending operation after that order.
        states: number of configurations that were searched.
    """

    offending: Operation
    prefix: tuple[int, ...]
    order: tuple[int, ...]
    said: str
    states: int


class GaveUp(NamedTuple):
    """The bound was reached; nobody knows."""

    states: int


class _Stop(NamedTuple):
    """A return, with what was in flight before it.

    Attributes:
        at: index of the operation that returns.
        bit: its bit.
        reads: (index, bit) of reads in flight.
        others: (index, bit) of others in flight, in the order in which they are best tried.
    """

    at: int
    bit: int
    reads: tuple[tuple[int, int], ...]
    others: tuple[tuple[int, int], ...]


def search(
    model: Model[Any], entity: str, operations: Sequence[Operation], states_max: int
) -> Explained | Unexplained | GaveUp:
    """Look for an order of one entity's operations.

    Args:
        model: what answers.
        entity: id of the entity.
        operations: its operations without those that were certainly not executed.
        states_max: configurations and steps of the model that are remembered at most.

    Raises:
        ModelFailed: the model raised, or a read changed the state.
    """
    return _Search(_Moves(model, entity, operations), states_max).run()


class _Moves:
    """The model over numbered states: each operation is done once in each state."""

    def __init__(self, model: Model[Any], entity: str, operations: Sequence[Operation]) -> None:
        self.operations = operations
        self._model = model
        self._entity = entity
        self._states: list[Any] = []
        self._numbers: dict[Any, int] = {}
        self._made: dict[tuple[int, int], int] = {}
        try:
            self.first = self._number(model.initial(entity))
            self.is_read = [model.is_read(operation) for operation in operations]
        except (HistoryUnreadable, ModelFailed):
            raise
        except Exception as problem:
            said = f"{type(problem).__name__}: {problem}"
            text = f"the model of {entity!r} raised at its beginning: {said}"
            raise ModelFailed(text) from problem

    def after(self, state: int, at: int) -> int:
        """Number of the state after an operation; -1 where it would be answered otherwise."""
        made = self._made.get((state, at))
        if made is None:
            made = self._made[state, at] = self._step(state, at)
        return made

    @property
    def made(self) -> int:
        """Number of steps that are remembered."""
        return len(self._made)

    def explain(self, state: int, at: int) -> str:
        """What the model would answer."""
        return self._model.explain(self._states[state], self.operations[at])

    def _step(self, state: int, at: int) -> int:
        operation = self.operations[at]
        try:
            fits, after = self._model.step(self._states[state], operation)
            number = self._number(after) if fits else -1
        except (HistoryUnreadable, ModelFailed):
            raise
        except Exception as problem:
            said = f"the model raised {type(problem).__name__}: {problem}"
            raise ModelFailed(f"{self._entity!r}, {operation}: {said}") from problem
        if self.is_read[at] and number not in (-1, state):
            raise ModelFailed(f"{self._entity!r}, {operation}: a read changed the model's state")
        return number

    def _number(self, state: Any) -> int:
        number = self._numbers.setdefault(state, len(self._states))
        if number == len(self._states):
            self._states.append(state)
        return number


class _Search:
    def __init__(self, moves: _Moves, states_max: int) -> None:
        self._moves = moves
        self._states_max = states_max
        self._stops = _stops(moves.operations, moves.is_read)
        self._wishes = [_wish(operation) for operation in moves.operations]
        self._seen: set[tuple[int, int, int]] = set()
        self._best: tuple[int, int, Trail] = (-1, 0, None)  # stop, state, trail

    def run(self) -> Explained | Unexplained | GaveUp:
        """Depth first: a history that holds is mostly explained by the first order tried."""
        seen, stops = self._seen, self._stops
        waiting: list[_Try] = [(0, 0, self._moves.first, None, _NOBODY, 0)]
        while waiting:
            number, mask, state, trail, at, bit = waiting.pop()
            if at != _NOBODY:  # asked only now: of those beside the first, few are ever tried
                before, state = state, self._moves.after(state, at)
                if state == -1 or (state == before and self._wishes[at] is not None):
                    continue
                mask, trail = mask | bit, (at, trail, _length(trail) + 1)
            number, mask, trail = self._move_on(number, mask, state, trail)
            if number == len(stops):
                return Explained(self._order(trail), len(seen))
            here = (number, mask, state)
            if here in seen:
                continue
            if len(seen) + self._moves.made >= self._states_max:
                return GaveUp(len(seen))
            seen.add(here)
            if (number, _length(trail)) > (self._best[0], _length(self._best[2])):
                self._best = (number, state, trail)
            waiting.extend(self._next(number, mask, state, trail))
        return self._unexplained()

    def _move_on(self, number: int, mask: int, state: int, trail: Trail) -> tuple[int, int, Trail]:
        """Give reads their moment, and pass the returns that are explained."""
        after = self._moves.after
        while number < len(self._stops):
            stop = self._stops[number]
            for at, bit in stop.reads:
                if not mask & bit and after(state, at) == state:
                    mask |= bit
                    trail = (at, trail, _length(trail) + 1)
            if not mask & stop.bit:
                break
            mask ^= stop.bit
            number += 1
        return number, mask, trail

    def _next(self, number: int, mask: int, state: int, trail: Trail) -> Iterator[_Try]:
        """Each operation in flight to have its moment now; the best is last, for it is popped."""
        found: list[_Try] = []
        wishes: set[bytes] = set()
        for at, bit in self._stops[number].others:
            if mask & bit:
                continue
            wish = self._wishes[at]
            if wish is not None:
                if wish in wishes:
                    continue
                wishes.add(wish)
            found.append((number, mask, state, trail, at, bit))
        return reversed(found)

    def _unexplained(self) -> Unexplained:
        number, state, trail = self._best
        operations = self._moves.operations
        at = self._stops[number].at
        offending = operations[at]
        assert offending.returned is not None, "only what returned is demanded"
        prefix = tuple(o.id for o in operations if o.invoked <= offending.returned)
        said = self._moves.explain(state, at)
        return Unexplained(offending, prefix, self._order(trail), said, len(self._seen))

    def _order(self, trail: Trail) -> tuple[int, ...]:
        ids: list[int] = []
        while trail is not None:
            ids.append(self._moves.operations[trail[0]].id)
            trail = trail[1]
        return tuple(reversed(ids))


def _length(trail: Trail) -> int:
    return trail[2] if trail else 0


def _wish(operation: Operation) -> bytes | None:
    """What an unknown operation asks for, alike for those that ask for the same; None if known."""
    if operation.outcome != "unknown":
        return None
    o = operation
    return _encoder.encode((o.method, o.arguments, o.key, o.metadata))


def _due(operation: Operation) -> float:
    """The first to return is tried first (that is the one of the stop), unknown ones last."""
    if operation.outcome == "unknown" or operation.returned is None:
        return math.inf
    return operation.returned


def _stops(operations: Sequence[Operation], is_read: Sequence[bool]) -> list[_Stop]:
    """The returns in order. At equal times calls come first: that is the weaker claim."""
    dues = [_due(operation) for operation in operations]
    moments: list[tuple[float, int, int]] = [(o.invoked, 0, at) for at, o in enumerate(operations)]
    moments += [(due, 1, at) for at, due in enumerate(dues) if due < math.inf]
    moments.sort()
    stops: list[_Stop] = []
    flying: dict[int, int] = {}  # index -> bit
    free: list[int] = []
    bits = 0
    for _, is_return, at in moments:
        if not is_return:
            if not free:
                free.append(1 << bits)
                bits += 1
            flying[at] = free.pop()
            continue
        reads = tuple((one, bit) for one, bit in flying.items() if is_read[one])
        others = [(one, bit) for one, bit in flying.items() if not is_read[one]]
        if len(others) > 1:
            others.sort(key=lambda pair: dues[pair[0]])
        bit = flying.pop(at)
        stops.append(_Stop(at, bit, reads, tuple(others)))
        free.append(bit)
    return stops
