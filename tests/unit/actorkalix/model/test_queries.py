"""`@sql` keeps the text; what streams is known by its return type or by `stream_updates`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

from actorkalix import View, http, sql, table, topic
from actorkalix.model.handlers import Method, StreamMethod, handlers_of


@dataclass
class Row:
    n: int


class Rows(View, id="rows"):
    rows = table("rows", source=topic("rows", Row))

    @sql("SELECT * FROM rows WHERE n = :n")
    @http.get("/rows/{n}")
    def one(self, n: int) -> Row:
        raise NotImplementedError

    @sql("SELECT * FROM rows")
    def every(self) -> AsyncIterator[Row]:
        raise NotImplementedError

    @sql("SELECT * FROM rows", stream_updates=True)
    def watch(self) -> AsyncIterator[Row]:
        raise NotImplementedError


def test_the_text_and_the_kind_are_kept() -> None:
    rows = handlers_of(Rows)
    assert {name: type(method) for name, method in rows.items()} == {
        "one": Method,
        "every": StreamMethod,
        "watch": StreamMethod,
    }
    assert rows["one"].sql == "SELECT * FROM rows WHERE n = :n"
    assert {method.kind for method in rows.values()} == {"sql"}
    assert [rows[name].stream_updates for name in rows] == [False, False, True]
    assert rows["one"].routes[0].path == "/rows/{n}"
