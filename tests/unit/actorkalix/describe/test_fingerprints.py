"""What changes the rows changes the fingerprint, and nothing else does."""

from __future__ import annotations

import os
import subprocess
import sys
from types import ModuleType
from typing import Any

import pytest

from actorkalix.describe import descriptor_of

SOURCE = '''
from __future__ import annotations
from dataclasses import dataclass, field
from msgspec import Struct
from decimal import Decimal
from enum import Enum
from actorkalix import *
from actorkalix import topic

class Kind(Enum):
    GOOD = 1
    BAD = 2

@dataclass
class Order:
    n: int

class Inner(Struct):
    k: int = 5

@dataclass
class Row:
    n: int
    m: int = 7
    inner: Inner = field(default_factory=Inner)

    def double(self) -> int:
        return self.n * 2

LIMIT = 3

def cap(n: int) -> int:
    return n

class Rows(View, id="fingerprint-rows"):
    RATE = Decimal("1.5")
    NAMES = {"a", "b", "c", "d"}
    KINDS = {"x": [Kind.GOOD, None]}

    @table("rows", source=topic("orders", Order))
    def on_order(self, row: Row | None, order: Order) -> RowEffect[Row]:
        """Says something."""
        if order.n in {1, 2, "three", "four", "five"}:
            return self.effects.ignore()
        total = sum(each for each in range(order.n) if each > 1)
        return self.effects.update_row(self.made(cap(total), row))

    def made(self, n: int, row: Row | None, by: int = 1) -> Row:
        return Row(n + by + (row.n if row else 0))

    @staticmethod
    def unused() -> int:
        return 1

    @property
    def twice(self) -> int:
        return 2

    @sql("SELECT * FROM rows WHERE n = :n")
    def one(self, n: int) -> Row:
        raise NotImplementedError
'''


def fingerprint(source: str = SOURCE, *, file: str = "rows.py") -> str:
    module = ModuleType("fingerprint_rows")
    sys.modules[module.__name__] = module
    try:
        exec(compile(source, file, "exec"), vars(module))
        view = descriptor_of(vars(module)["Rows"]).view
        assert view is not None
        return view.fingerprint
    finally:
        del sys.modules[module.__name__]


SAME: dict[str, tuple[str, str]] = {
    "lines": ("class Rows", "\n\n# a comment\nclass Rows"),
    "a docstring": ('"""Says something."""', '"""Says something else."""'),
    "no docstring": ('        """Says something."""\n', ""),
    "a comment": ("        return Row(n", "        # why\n        return Row(n"),
    "a query": ("WHERE n = :n", "WHERE n > :n ORDER BY n"),
    "code elsewhere": ("    return n\n\nclass Rows", "    return n + 1\n\nclass Rows"),
    "a constant elsewhere": ("LIMIT = 3", "LIMIT = 4"),
}
OTHER: dict[str, tuple[str, str]] = {
    "a constant": ('"five"', '"six"'),
    "an operator": ("each > 1", "each >= 1"),
    "a comprehension": ("each > 1", "each > 2"),
    "a name": ("range(order.n)", "abs(order.n)"),
    "a helper": ("n + by +", "n - by +"),
    "a default": ("by: int = 1", "by: int = 2"),
    "a static method": ("        return 1", "        return 2"),
    "a property": ("return 2\n\n    @sql", "return 3\n\n    @sql"),
    "a class constant": ('Decimal("1.5")', 'Decimal("1.6")'),
    "a set": ('{"a", "b", "c", "d"}', '{"a", "b", "c", "e"}'),
    "an enum": ("[Kind.GOOD, None]", "[Kind.BAD, None]"),
    "a field": ("    m: int = 7", "    m: int = 7\n    o: int = 0"),
    "a default of a row": ("m: int = 7", "m: int = 8"),
    "a default in a row": ("k: int = 5", "k: int = 6"),
    "a method of a row": ("self.n * 2", "self.n * 3"),
    "a type": ("class Row:\n    n: int", "class Row:\n    n: float"),
    "the name of a table": ('"rows"', '"lines"'),
    "a source": ('"orders"', '"sales"'),
    "a version": ('id="fingerprint-rows"', 'id="fingerprint-rows", version=2'),
    "only": ('topic("orders", Order))', 'topic("orders", Order), only=Order)'),
    "another table": (
        "    @staticmethod",
        '    rows2 = table("rows2", source=topic("x", Row))\n\n    @staticmethod',
    ),
}


def test_the_same_code_has_the_same_fingerprint() -> None:
    assert fingerprint() == fingerprint(file="/elsewhere/other.py")
    assert len(fingerprint()) == 32


@pytest.mark.parametrize("change", SAME)
def test_what_makes_no_difference(change: str) -> None:
    """VW-90, VW-94: queries, comments and places are free."""
    old, new = SAME[change]
    assert old in SOURCE
    assert fingerprint(SOURCE.replace(old, new)) == fingerprint()


@pytest.mark.parametrize("change", OTHER)
def test_what_makes_other_rows(change: str) -> None:
    old, new = OTHER[change]
    changed = SOURCE.replace(old, new)
    if change == "the name of a table":
        changed = changed.replace("FROM rows", "FROM lines")
    assert changed != SOURCE
    assert fingerprint(changed) != fingerprint()


def test_a_base_counts() -> None:
    base = SOURCE.replace(
        'class Rows(View, id="fingerprint-rows")', "class Base(View, abstract=True)"
    )
    heir = f'{base}\nclass Rows(Base, id="fingerprint-rows"):\n    pass\n'
    assert fingerprint(heir) == fingerprint()
    assert fingerprint(heir.replace("n + by", "n - by")) != fingerprint()


@pytest.mark.parametrize("seed", ["1", "2"])
def test_every_process_says_the_same(seed: str) -> None:
    """Sets have another order in each, objects another address."""
    lines = f"{SOURCE}\nfrom actorkalix.describe import descriptor_of\n"
    asked: Any = subprocess.run(
        [sys.executable, "-c", f"{lines}print(descriptor_of(Rows).view.fingerprint)"],
        env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert asked.stdout.strip() == fingerprint()


def test_what_a_closure_holds_counts() -> None:
    around = SOURCE.replace("    def made", "    @scaled(2)\n    def made")
    scaled = """
def scaled(factor):
    def wrap(fn):
        def run(*args):
            return fn(*args) if factor else None
        return run
    return wrap

class Rows"""
    one = around.replace("class Rows", scaled.lstrip(), 1)
    assert fingerprint(one) == fingerprint(one)
    assert fingerprint(one) != fingerprint(one.replace("n + by", "n - by"))
    assert fingerprint(one) != fingerprint(one.replace("scaled(2)", "scaled(3)"))
