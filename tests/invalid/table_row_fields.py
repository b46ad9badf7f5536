"""Fields that no table keeps, all at once (VW-61)."""
# expect: table 'rows': Line.day: a date has no zone; use a datetime with a zone
# expect: table 'rows': Line.gaps: elements of list[int | None] may be None; leave them out
# expect: table 'rows': Line.deep: list[list[int]] is a list of lists; put the inner one into an object
# expect: table 'rows': Line.maybe: list[int] | None may be None; an empty list says as much
# expect: table 'rows': Line.inner.span: a duration is no point in time

from dataclasses import dataclass
from datetime import date, timedelta

from actorkalix import View, sql, table, topic


@dataclass
class Row:
    n: int


@dataclass
class Inner:
    span: timedelta


@dataclass
class Line:
    day: date
    gaps: list[int | None]
    deep: list[list[int]]
    maybe: list[int] | None
    inner: Inner


class Rows(View, id="rows"):
    rows = table("rows", source=topic("rows", Line))  # here

    @sql("SELECT * FROM rows")
    def one(self) -> Row:
        raise NotImplementedError
