"""Problems are listed at once, by place."""

from __future__ import annotations

import functools
import sys

import pytest

from actorkalix.describe.descriptors import Place
from actorkalix.describe.problems import (
    NOWHERE,
    Problems,
    caller_place,
    class_frame,
    class_place,
    code_of,
    place_of,
    written_twice,
)
from actorkalix.errors import DefinitionError


def test_all_at_once_in_the_order_of_their_lines() -> None:
    problems = Problems("Cart")
    problems.raise_if_any()
    assert not problems
    problems.add(Place("b.py", 10), "two")
    problems.add(Place("b.py", 9), "one")
    problems.add(Place("b.py", 9), "one")
    with pytest.raises(DefinitionError) as caught:
        problems.raise_if_any()
    assert str(caught.value) == "Cart cannot be used: 2 problems\nb.py:9: one\nb.py:10: two"
    assert caught.value.problems == ("b.py:9: one", "b.py:10: two")


def test_places() -> None:
    def fn() -> None: ...

    line = fn.__code__.co_firstlineno
    assert place_of(fn, NOWHERE) == Place(__file__, line)
    assert place_of(functools.partial(fn), NOWHERE) == Place(__file__, line)
    assert place_of(print, NOWHERE) == NOWHERE
    assert code_of(print) is None
    assert caller_place() == Place(__file__, sys._getframe().f_lineno)


def test_classes_without_a_frame_are_where_their_first_method_is() -> None:
    class Late:
        def second(self) -> None: ...

    assert class_frame(Late) is not None
    assert class_place(Late, None).line == Late.second.__code__.co_firstlineno
    assert class_place(type("Bare", (), {}), None) == NOWHERE


def test_written_twice() -> None:
    program = (
        "class Twice:\n"
        "    def once(self): ...\n"
        "    def again(self): ...\n"
        "    def again(self): ...\n"
        "found.append(written_twice(Twice, sys._getframe()))\n"
    )
    found: list[dict[str, list[Place]]] = []
    names = {"found": found, "sys": sys, "written_twice": written_twice, "__name__": "m"}
    exec(compile(program, "twice.py", "exec"), names)
    assert found == [{"again": [Place("twice.py", 3), Place("twice.py", 4)]}]
