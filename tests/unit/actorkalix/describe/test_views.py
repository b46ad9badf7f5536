"""Views as a whole: everything that is wrong is said at once, with its places (VW-05, VW-97)."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from actorkalix import DefinitionError, RowEffect, View, sql, table, topic
from actorkalix.describe import descriptor_of


@dataclass
class Row:
    n: int


class Rows(View, id="views-rows", version=3):
    rows = table("rows", source=topic("rows", Row))

    @sql("SELECT * FROM rows")
    def one(self) -> Row:
        raise NotImplementedError


def test_a_view_has_tables_queries_and_a_fingerprint() -> None:
    component = descriptor_of(Rows)
    view = component.view
    assert view is not None
    assert (list(view.tables), list(view.queries)) == (["rows"], ["one"])
    assert len(view.fingerprint) == 32
    assert component.options == {"version": 3}
    assert component.kind == "view"


def test_the_body_of_a_query_never_runs() -> None:
    """VW-07: what it would do is never asked for; a body that does something is refused."""
    with pytest.raises(TypeError, match=r"write client\.view\(Rows\)\.one\(\)"):
        _ = Rows.one()


def broken() -> type[View]:
    class Broken(View, id="views-broken", version=0):
        rows = table("rows", source=topic("rows"))

        @table("$other", source=topic("other"))
        def on_other(self, row: Row | None, message: bytes) -> RowEffect[Row]:
            return self.effects.ignore()

        @sql(" ")
        def none(self) -> Row:
            raise NotImplementedError

        @sql("SELECT * FROM rows")
        def one(self, n: int) -> Row:
            return Row(n)

    return Broken


def test_every_problem_at_once() -> None:
    with pytest.raises(DefinitionError) as caught:
        broken()
    said = str(caught.value)
    assert said.startswith("Broken cannot be used: 5 problems\n")
    for part in (
        "version is a number from 1, got 0",
        "rows says no class of rows",
        "on_other names its table '$other'",
        "none has no SQL",
        "one has a body that never runs",
    ):
        assert part in said
    assert said.count(f"{__file__}:") == 5


def test_views_may_be_made_in_functions() -> None:
    @dataclass
    class Local:
        at: Inner

    @dataclass
    class Inner:
        n: int

    class Made(View, id="views-made"):
        @table("rows", source=topic("rows"))
        def on_row(self, row: Local | None, message: Inner) -> RowEffect[Local]:
            return self.effects.update_row(Local(message))

        @sql("SELECT * FROM rows WHERE at.n = :n")
        def one(self, n: int) -> Local:
            raise NotImplementedError

    view = descriptor_of(Made).view
    assert view is not None
    assert view.tables["rows"].shape.find(["at", "n"]) is not None
