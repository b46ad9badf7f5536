"""What a handler sees exists while it runs; each class is told to the floor above."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from actorkalix import Context, ValueEntity
from actorkalix.model.component import Component, Hook, Live, on_definition

from .shop import Note, running


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[tuple[type[Any], Any, Any]]:
    found: list[tuple[type[Any], Any, Any]] = []

    def note(cls: type[Any], options: Mapping[str, Any], names: Mapping[str, Any]) -> None:
        found.append((cls, dict(options), dict(names)))

    monkeypatch.setattr(on_definition, "_fn", note)
    return found


def test_a_hook_without_a_function_does_nothing() -> None:
    hook: Hook[[int], int] = Hook()
    assert hook(3) is None
    hook.register(lambda n: n + 1)
    assert hook(3) == 4


def test_a_class_is_told_with_its_options_and_the_local_names(
    told: list[tuple[type[Any], Any, Any]],
) -> None:
    @dataclass(frozen=True)
    class Local:
        n: int

    class Made(ValueEntity[Local], id="made"): ...

    ((cls, options, names),) = told
    assert cls is Made
    assert options == {"id": "made"}
    assert names["Local"] is Local


def test_a_class_in_a_class_sees_both_around_it(told: list[tuple[type[Any], Any, Any]]) -> None:
    far = object()

    class Outer:
        near = object()

        class Made(ValueEntity[int], id="made"): ...

    names = told[0][2]
    assert names["near"] is Outer.near
    assert names["far"] is far


def test_a_base_that_looks_at_its_subclasses_hides_no_names(
    told: list[tuple[type[Any], Any, Any]],
) -> None:
    class Nosy:
        def __init_subclass__(cls, **options: Any) -> None:
            super().__init_subclass__(**options)

    def define() -> None:
        wanted = object()

        class Made(Nosy, ValueEntity[int], id="made"): ...

        del wanted, Made

    define()
    assert "wanted" in told[0][2]


def test_a_module_level_class_needs_no_names(told: list[tuple[type[Any], Any, Any]]) -> None:
    exec("class Made(Base, id='made'): ...", {"Base": Component, "__name__": "made"})
    assert told[0][2] == {}


def test_context_exists_while_a_handler_runs() -> None:
    note = running(Note, "x", name="write", sequence_number=4)
    assert note.context == Context(name="write", sequence_number=4)
    assert Context().metadata == {}
    with pytest.raises(RuntimeError, match=r"Note\.context exists only while a handler runs"):
        _ = Note().context


def test_what_this_method_has_not_says_so() -> None:
    note = Note()
    note._live = Live(entity_id="n1")
    assert note.entity_id == "n1"
    with pytest.raises(RuntimeError, match=r"Note\.state does not exist in this method"):
        _ = note.state
