"""A table of a view becomes a Parquet file, with the types of its columns."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from actorkalix.cli import exporting
from actorkalix.cli.exporting import export
from actorkalix.errors import InvalidCommandLine, ViewIncomplete
from actorkalix.view_listing import ColumnView, TableView
from actorkalix.viewsql.shapes import shape_of
from actorkalix.viewsql.storage import TableStorage

parquet: Any = pytest.importorskip("pyarrow.parquet")


@dataclass(frozen=True)
class Row:
    name: str
    size: int
    weight: float | None
    open: bool
    price: Decimal
    at: datetime
    tags: list[str]


SHAPE = shape_of("sales", Row)
TABLE = TableView(
    "sales", "sale", 0, tuple(ColumnView(leaf.name, leaf.kind.name) for leaf in SHAPE.leaves())
)
AT = datetime(2026, 1, 2, 3, 4, 5, 678_901, tzinfo=UTC)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "sales ü.sqlite"
    db = sqlite3.connect(file)
    storage = TableStorage(SHAPE)
    for statement in storage.create:
        db.execute(statement)
    for number in range(25):
        row = Row(f"n{number}", number, None, number % 2 == 0, Decimal("1.50"), AT, ["a"])
        for sql, parameters in storage.put(f"s{number:02}", row, 1):
            db.execute(sql, parameters)
    db.commit()
    db.close()
    return file


def test_rows_have_their_types(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "ROWS", 10)
    target = tmp_path / "sales.parquet"
    written = export(path, TABLE, target)
    assert (written.rows, written.file) == (25, str(target))
    rows = parquet.read_table(target).to_pylist()
    assert len(rows) == 25
    assert rows[3] == {
        "subject": "s03",
        "name": "n3",
        "size": 3,
        "weight": None,
        "open": False,
        "price": "1.5",
        "at": AT,
        "tags": '["a"]',
    }


def test_a_file_that_cannot_be_read_leaves_nothing(tmp_path: Path) -> None:
    target = tmp_path / "sales.parquet"
    with pytest.raises(ViewIncomplete):
        export(tmp_path / "none.sqlite", TABLE, target)
    assert list(tmp_path.iterdir()) == []


def test_a_target_that_cannot_be_written_is_named(path: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidCommandLine, match="cannot be written"):
        export(path, TABLE, tmp_path / "none" / "sales.parquet")


def test_without_pyarrow_it_says_what_to_install(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> Any:
        raise ImportError(name)

    monkeypatch.setattr(exporting, "import_module", missing)
    with pytest.raises(InvalidCommandLine, match="pip install"):
        export(path, TABLE, tmp_path / "sales.parquet")
