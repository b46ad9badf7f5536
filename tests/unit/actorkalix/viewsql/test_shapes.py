"""Rows to columns: every kind, every way to write a class, every field that cannot be kept."""

from __future__ import annotations

import datetime as dt
import enum
import uuid
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, Generic, Literal, NamedTuple, NewType, NotRequired, TypeVar

import msgspec
import pytest
from typing_extensions import TypedDict

from actorkalix.limits import ROW_COLUMNS_MAX
from actorkalix.viewsql.shapes import ColumnKind, ShapeProblem, TableShape, column_of, shape_of

K = ColumnKind
T = TypeVar("T")
CartId = NewType("CartId", str)


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Level(enum.IntEnum):
    LOW = 1


@dataclass
class Address:
    city: str
    zip: int | None = None


@dataclass
class Tree:
    name: str
    parent: Tree | None = None
    children: tuple[Tree, ...] = ()


@dataclass
class Row:
    id: CartId
    count: int
    price: Decimal
    weight: float
    done: bool
    at: dt.datetime
    raw: bytes
    key: uuid.UUID
    colour: Colour
    size: Literal["s", "m"]
    level: Level
    near: Literal[1, 2]
    home: Address
    work: Address | None
    tags: list[str]
    scores: tuple[int, ...]
    seen: set[str]
    shops: list[Address]
    counts: dict[str, int]
    any: Any
    either: Annotated[int, "x"] | str
    pair: tuple[int, str]
    nothing: None


def kinds(shape: TableShape) -> dict[str, ColumnKind]:
    return {one.name: one.kind for one in shape.leaves()}


def test_kinds() -> None:
    """VW-60, with maps and enums as we chose them."""
    assert kinds(shape_of("rows", Row)) == {
        "id": K.TEXT,
        "count": K.INTEGER,
        "price": K.DECIMAL,
        "weight": K.FLOAT,
        "done": K.BOOL,
        "at": K.TIMESTAMP,
        "raw": K.BYTES,
        "key": K.UUID,
        "colour": K.ENUM,
        "size": K.ENUM,
        "level": K.INTEGER,
        "near": K.INTEGER,
        "home.city": K.TEXT,
        "home.zip": K.INTEGER,
        "work.city": K.TEXT,
        "work.zip": K.INTEGER,
        "tags": K.LIST,
        "scores": K.LIST,
        "seen": K.LIST,
        "shops": K.LIST,
        "counts": K.JSON,
        "any": K.JSON,
        "either": K.JSON,
        "pair": K.JSON,
        "nothing": K.JSON,
    }


def test_columns_are_found_by_path() -> None:
    shape = shape_of("rows", Row)
    home, work = shape.find(["home", "city"]), shape.find(["work", "city"])
    assert home is not None
    assert work is not None
    assert (home.nullable, work.nullable) == (False, True)  # VW-33: null where a parent is
    assert (home.path, home.type) == (("home", "city"), str)
    whole = shape.find(["work"])
    assert whole is not None
    assert (whole.kind, whole.type) == (K.OBJECT, Address)
    for path in (["Home"], ["home", "zap"], ["tags", "x"], []):
        assert shape.find(path) is None
    colour = shape.find(["colour"])
    assert colour is not None
    assert colour.values == ("red", "blue")
    shops = shape.find(["shops"])
    assert shops is not None
    assert shops.element is not None
    assert (shops.element.kind, len(shops.element.fields)) == (K.OBJECT, 2)


class Typed(TypedDict):
    id: str
    count: NotRequired[int]


class Named(NamedTuple):
    id: str
    number: int | None


class Renamed(msgspec.Struct, rename="camel", tag=True):
    cart_id: str
    line_count: int | None


class Box(msgspec.Struct, Generic[T]):
    id: str
    count: T | None


@pytest.mark.parametrize("row", [Typed, Named, Renamed, Box[int], Annotated[Named, 1]])
def test_ways_to_write_a_class(row: Any) -> None:
    columns = shape_of("rows", row).columns
    assert [one.kind for one in columns] == [K.TEXT, K.INTEGER]
    assert [one.nullable for one in columns] == [False, True]


def test_names_in_json_may_differ() -> None:
    columns = shape_of("rows", Renamed).columns
    assert [one.name for one in columns] == ["cart_id", "line_count"]
    assert [one.keys for one in columns] == [("cartId",), ("lineCount",)]


def test_models() -> None:
    pydantic = pytest.importorskip("pydantic")
    inner = pydantic.create_model("Inner", city=(str, ...))
    outer = pydantic.create_model("Outer", id=(str, ...), home=(inner, ...), n=(int | None, None))
    found = shape_of("rows", outer)
    assert kinds(found) == {"id": K.TEXT, "home.city": K.TEXT, "n": K.INTEGER}
    last = found.find(["n"])
    assert last is not None
    assert last.nullable


def test_recursion_is_kept_as_it_is() -> None:
    assert kinds(shape_of("trees", Tree)) == {"name": K.TEXT, "parent": K.JSON, "children": K.LIST}


@dataclass
class Inner:
    day: dt.date


@dataclass
class Wrong:
    day: dt.date
    time: dt.time | None
    span: dt.timedelta
    maybe: list[int] | None
    gaps: list[int | None]
    nested: list[list[int]]
    inner: Inner
    Day: int
    days: list[dt.date]


def test_every_problem_at_once() -> None:
    """VW-61."""
    with pytest.raises(ShapeProblem) as caught:
        shape_of("rows", Wrong)
    use = "use a datetime with a zone, or keep it as text or a number"
    assert caught.value.texts == (
        f"Wrong.day: a date has no zone; {use}",
        f"Wrong.time: a time of day has no date; {use}",
        f"Wrong.span: a duration is no point in time; {use}",
        "Wrong.maybe: list[int] | None may be None; an empty list says as much, take None away",
        "Wrong.gaps: elements of list[int | None] may be None; leave them out, or use objects",
        "Wrong.nested: list[list[int]] is a list of lists; put the inner one into an object",
        f"Wrong.inner.day: a date has no zone; {use}",
        "Wrong.Day: differs from day only in case; give it another name",
        f"Wrong.days: a date has no zone; {use}",
    )


@dataclass
class Empty:
    pass


@dataclass
class Unfit:
    what: object
    how: complex


Dots = TypedDict("Dots", {"a.b": int})
Ours = TypedDict("Ours", {"$id": int})


@pytest.mark.parametrize(
    "row, said",
    [
        (str, "str has no fields; rows are dataclasses"),
        (dict[str, int], r"dict\[str, int\] has no fields"),
        (list[Address], r"list\[Address\] has no fields"),
        (Colour, "Colour has no fields"),
        (Any, "Any has no fields"),
        (Empty, "Empty has no fields; a row has at least one"),
        (Unfit, r"Unfit\.how: complex cannot be encoded|objects of type complex"),
        (Dots, r"Dots\.a\.b: names of columns have no dots"),
        (Ours, r"Ours\.\$id: names of columns .* begin with \$"),
    ],
)
def test_no_rows(row: Any, said: str) -> None:
    """VW-05: scalars are no rows."""
    with pytest.raises(ShapeProblem, match=said):
        shape_of("rows", row)


def test_a_row_has_so_many_columns() -> None:
    fields: list[tuple[str, type]] = [(f"f{n}", int) for n in range(ROW_COLUMNS_MAX + 1)]
    with pytest.raises(ShapeProblem, match=r"Wide has 1,001 columns; a table has 1,000 at most"):
        shape_of("rows", msgspec.defstruct("Wide", fields))
    assert len(shape_of("rows", msgspec.defstruct("Fits", fields[1:])).columns) == ROW_COLUMNS_MAX


def test_parameters_are_columns_too() -> None:
    assert (column_of("p", int | None).kind, column_of("p", int | None).nullable) == (
        K.INTEGER,
        True,
    )
    listed = column_of("p", list[Decimal])
    assert listed.element is not None
    assert (listed.kind, listed.element.kind) == (K.LIST, K.DECIMAL)
    with pytest.raises(ShapeProblem, match="p: a date has no zone"):
        column_of("p", dt.date)
    with pytest.raises(ShapeProblem, match=r"p.*complex"):
        column_of("p", complex)
