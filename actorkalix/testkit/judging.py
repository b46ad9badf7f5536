"""`linearizable`: whether one order of a history's operations explains all answers, in a word."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from actorkalix.describe import descriptor_of
from actorkalix.errors import DefinitionError, HistoryUnreadable
from actorkalix.model.entities import Entity, EventSourcedEntity, ValueEntity

from .checking import linearizability, model_of
from .history import FORMAT, Header, History, Operation, history_of, read_history


def linearizable(history: History | Path | str | Iterable[Operation], /, *components: Any) -> bool:
    """Whether one order of the operations on each entity explains all answers.

    `actorkalix.testkit.checking` says which operation fits no order; this says only whether.

    Args:
        history: as a recorder gives it, the path of its file, or its operations.
        components: classes of the entities in it; when none are given, those that this process has
            defined are found by their component ids.

    Raises:
        HistoryUnreadable: it has no operations or contradicts itself, a component of it is not
            known, or so many operations overlap that nobody knows.
        TypeError: two classes that were defined have the id of a component in it.
        ModelFailed: a class changes its state in place, or time matters to it.
    """
    read = _read(history)
    ids = dict.fromkeys(operation.component for operation in read.operations)
    classes = {descriptor_of(each).component_id: each for each in components} or _defined(ids)
    models = {component: model_of(classes[component]) for component in ids if component in classes}
    verdict = linearizability(read.operations, models)
    if verdict.outcome == "gave_up":
        raise HistoryUnreadable(verdict.note)
    return verdict.ok


def _read(history: History | Path | str | Iterable[Operation]) -> History:
    if isinstance(history, History):
        return history_of(history.header, history.operations)
    if isinstance(history, str | Path):
        return read_history(history)
    return history_of(Header(FORMAT, "", "step"), history)


def _defined(ids: Iterable[str]) -> dict[str, Any]:
    """The classes of this process that have these ids."""
    found: dict[str, list[Any]] = {}
    for cls in dict.fromkeys((*_below(EventSourcedEntity), *_below(ValueEntity))):
        with suppress(DefinitionError):  # an abstract one has no id
            found.setdefault(descriptor_of(cls).component_id, []).append(cls)
    for component in ids:
        if len(same := found.get(component, [])) > 1:
            names = ", ".join(f"{cls.__module__}.{cls.__qualname__}" for cls in same)
            raise TypeError(f"component {component!r} is {names}: pass the one that is meant")
    return {component: found[component][0] for component in ids if component in found}


def _below(cls: type[Entity]) -> Iterator[type[Entity]]:
    """All classes below a class."""
    for each in cls.__subclasses__():
        yield each
        yield from _below(each)
