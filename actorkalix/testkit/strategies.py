"""Strategies for hypothesis: calls of the user's entities, drawn from the types of their handlers.

They draw the same small domains as the simulator does, by the same drawers, so values collide; and
they shrink: fewer calls, of fewer clients, with simpler values. Hypothesis is imported with this
module, which nothing else of the kit imports.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import msgspec
from hypothesis import reject
from hypothesis import strategies as st

from actorkalix.describe import descriptor_of
from actorkalix.describe.descriptors import ComponentDescriptor
from actorkalix.errors import WorkloadUnfit
from actorkalix.model.handlers import HandlerRef
from actorkalix.model.service import Service

from .simulation.arguments import Bodies
from .simulation.plan import PROGRAMS, Call, program_call
from .simulation.workload import Choice, Workload, choices_of, with_programs

T = TypeVar("T")
TRIES_MAX = 8
WAITS_US = (0, 100, 1_000, 10_000, 100_000)


class Command(msgspec.Struct, frozen=True):
    """A call of a handler, as `kit.call(command.handler, *command.args, **command.kwargs)` plays.

    Attributes:
        handler: to call.
        args, kwargs: its arguments.
        body: the same as JSON, as a client sends them; b"" is none.
    """

    handler: HandlerRef[Any, ..., Any]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    body: bytes

    @property
    def method(self) -> str:
        """Name of the handler."""
        return self.handler.name

    def __repr__(self) -> str:
        """As `Cart.add({"item":"a"})`: what hypothesis prints of a test that fails."""
        return f"{self.handler.owner.__name__}.{self.method}({self.body.decode()})"


def commands(
    component: type[Any],
    /,
    *methods: HandlerRef[Any, ..., Any],
    values: Mapping[str, Sequence[Any]] | None = None,
) -> st.SearchStrategy[Command]:
    """Calls of an entity.

    Args:
        component: its class.
        methods: handlers to call, as `Cart.add`; all commands when none are named.
        values: JSON values to choose from for a parameter, by "method.parameter", for those whose
            type says too little.

    Raises:
        WorkloadUnfit: the component has no such handler or parameter, or nothing is known that
            fits a parameter.
    """
    descriptor = descriptor_of(component)
    names = [method.name for method in methods] or [
        name for name, handler in descriptor.handlers.items() if handler.kind == "command"
    ]
    given = _by_method(descriptor, names, values or {})
    bodies = {name: Bodies(descriptor, name, given[name]) for name in names}

    @st.composite
    def command(draw: st.DrawFn) -> Command:
        source = _Drawn(draw)
        name = source.choice(names)
        body = _body(bodies[name], source)
        args, kwargs = bodies[name].read(body)
        return Command(getattr(component, name), args, kwargs, body)

    return command()


def calls(
    service: Service,
    /,
    *,
    clients: int = 3,
    operations_max: int = 20,
    entities: int = 2,
    workload: Workload | None = None,
    programs: Sequence[str] = (),
) -> st.SearchStrategy[tuple[Call, ...]]:
    """What clients ask of a service, by client, in the order in which each asks.

    Args:
        service: whose event sourced and value entities are asked.
        clients: how many may ask.
        operations_max: of all of them.
        entities: of each component, unless the workload names them.
        workload: what is asked; its weights only leave handlers out.
        programs: names of what clients do on their own; without a workload they do nothing else.

    Raises:
        WorkloadUnfit: the workload does not fit the service, or there is nothing to ask.
    """
    asked, weights = with_programs(workload or Workload(), programs)
    names = tuple(weights)
    alone = bool(names) and workload is None
    # Hypothesis takes out a few draws at a time: calls have to become short before they can go.
    choices = () if alone else sorted(choices_of(service.descriptor, asked), key=_parameters)
    ids = asked.entities or tuple(f"e{number}" for number in range(entities))

    @st.composite
    def call(draw: st.DrawFn) -> Call:
        source = _Drawn(draw)
        who = source.integer(0, clients * len(ids) - 1)
        client, entity = divmod(who, len(ids))
        if names and (not choices or source.happens(PROGRAMS)):
            return program_call(client, 0, source.choice(WAITS_US), source.choice(names))
        choice = source.choice(choices)
        body = _body(choice.bodies, source)
        how = source.integer(0, len(WAITS_US) * 2 - 1)
        return Call(
            client=client,
            number=0,
            wait_us=WAITS_US[how // 2],
            component=choice.component,
            entity=ids[entity],
            kind=choice.kind,
            method=choice.method,
            body=body,
            retry=choice.kind == "command" and how % 2 == 1,
        )

    return st.lists(call(), min_size=1, max_size=operations_max).map(_numbered)


def _parameters(choice: Choice) -> int:
    return len(choice.bodies.parameters)


def _numbered(asked: list[Call]) -> tuple[Call, ...]:
    """By client, each with its number there; what is sent again has a key of its own."""
    numbers: dict[int, int] = {}
    made: list[Call] = []
    for call in asked:
        number = numbers[call.client] = numbers.get(call.client, -1) + 1
        key = f"c{call.client}-{number}" if call.retry else ""
        made.append(msgspec.structs.replace(call, number=number, key=key))
    return tuple(sorted(made, key=lambda call: call.client))


class _Drawn:
    """A `Source` that hypothesis draws from; chances are even, for it looks for what is rare."""

    def __init__(self, draw: Callable[[st.SearchStrategy[Any]], Any]) -> None:
        self._draw = draw

    def integer(self, low: int, high: int, /) -> int:
        found: int = self._draw(st.integers(low, high))
        return found

    def choice(self, options: Sequence[T], /) -> T:
        return options[self.integer(0, len(options) - 1)]

    def happens(self, probability: float, /) -> bool:
        return bool(self._draw(st.booleans())) if 0 < probability < 1 else probability >= 1


def _body(bodies: Bodies, source: _Drawn) -> bytes:
    tries = (bodies.attempt(source) for _ in range(TRIES_MAX))
    body = next((each for each in tries if each is not None), None)
    return reject() if body is None else body


def _by_method(
    component: ComponentDescriptor, names: Sequence[str], values: Mapping[str, Sequence[Any]]
) -> dict[str, dict[str, Sequence[Any]]]:
    """What was given for parameters, by handler; every name has to be one."""
    where = component.cls.__name__
    if strangers := [name for name in names if name not in component.handlers]:
        there = ", ".join(component.handlers) or "none"
        raise WorkloadUnfit(f"{where} has no handler {strangers[0]!r}; it has {there}")
    found: dict[str, dict[str, Sequence[Any]]] = {name: {} for name in names}
    known = {
        f"{name}.{parameter.name}": (name, parameter.name)
        for name in names
        for parameter in component.handlers[name].parameters
    }
    for name, options in values.items():
        if name not in known:
            there = ", ".join(known) or "none"
            raise WorkloadUnfit(f"values: {where} has no {name!r} to draw; there are {there}")
        method, parameter = known[name]
        found[method][parameter] = options
    return found
