"""Numbers beyond what their types hold are errors that say where."""

from __future__ import annotations

import sqlite3

import msgspec
import pytest

from actorkalix.errors import NumberTooLarge
from actorkalix.viewsql.answers import Answer
from actorkalix.viewsql.compiling import compile_query
from actorkalix.viewsql.overflow import is_overflow, number, overflow_in
from actorkalix.viewsql.shapes import ColumnKind, shape_of
from actorkalix.viewsql.storage import TableStorage

MOST = 2**63 - 1


class Row(msgspec.Struct):
    name: str
    size: int
    weight: float


class Total(msgspec.Struct):
    total: int


class Weight(msgspec.Struct):
    total: float


class Totals(msgspec.Struct):
    each: list[Total]


SHAPE = shape_of("rows", Row)


def answered(text: str, result: type, *rows: Row) -> object:
    query = compile_query(text, tables={"rows": SHAPE}, parameters={}, result=result)
    connection = sqlite3.connect(":memory:")
    storage = TableStorage(SHAPE, ())
    for statement in storage.create:
        connection.execute(statement)
    for row in rows:
        for statement, parameters in storage.put(row.name, row, 1):
            connection.execute(statement, parameters)
    return Answer(query).run(connection.execute, {})


LARGE = (Row("a", MOST, 1e308), Row("b", 1, 1e308))


def test_a_sum_beyond_64_bits_names_its_column() -> None:
    text = "SELECT sum(size) AS total FROM rows"
    assert answered(text, Total, LARGE[0]) == Total(MOST)
    with pytest.raises(NumberTooLarge, match=r"^sum\(size\) is beyond 64 bits") as caught:
        answered(text, Total, *LARGE)
    assert (caught.value.number, caught.value.http_status) == ("AK2038", 400)


def test_so_does_one_in_a_list_of_groups_and_the_amount_of_a_number() -> None:
    with pytest.raises(NumberTooLarge, match=r"sum\( size \+ 0 \) is beyond"):
        answered("SELECT sum( size + 0 ) AS total FROM rows GROUP BY weight", Total, *LARGE)
    text = "SELECT (abs(size) AS total) AS each FROM rows WHERE abs(size) > 0 GROUP BY size "
    with pytest.raises(NumberTooLarge, match=r"abs\(size\) or sum\(size\) is beyond"):
        answered(text + "HAVING sum(size) < 0", Totals, Row("a", -MOST - 1, 0))


@pytest.mark.parametrize("made", ["size * 2", "size + size", "size - -size", "0 - size - size"])
def test_so_is_a_whole_number_that_became_a_float(made: str) -> None:
    with pytest.raises(NumberTooLarge, match=r"computes, -?1.84467e\+19, is beyond 64 bits"):
        answered(f"SELECT {made} AS total FROM rows", Total, LARGE[0])


def test_and_a_float_that_has_no_end() -> None:
    text = "SELECT sum(weight) AS total FROM rows"
    assert answered(text, Weight, LARGE[0]) == Weight(1e308)
    with pytest.raises(NumberTooLarge, match="computes, inf, is beyond what a float holds"):
        answered(text, Weight, *LARGE)


def test_nulls_and_other_errors_are_left_alone() -> None:
    assert number(ColumnKind.INTEGER, 1, 0)(("x", None)) == 0
    assert number(ColumnKind.FLOAT, 0, None)((2,)) == 2
    assert not is_overflow(sqlite3.OperationalError("no such table"))
    assert str(overflow_in("SELECT a FROM b")) == "a sum is beyond 64 bits"
