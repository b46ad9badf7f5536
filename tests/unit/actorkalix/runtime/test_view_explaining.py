"""What becomes of queries is shown with plans and indexes, and what a rebuild would lose."""

from __future__ import annotations

from pathlib import Path

from actorkalix.runtime.view_explaining import explained
from tests.unit.actorkalix.runtime.counted import Written, view


def test_a_query_by_an_index_scans_nothing() -> None:
    found = explained(view(), None)
    by_name = next(query for query in found.queries if query.name == "by_name")
    assert by_name.sql == "SELECT * FROM tallies WHERE name = :name"
    [statement] = by_name.statements
    assert statement.scans == ()
    assert any("USING INDEX" in step for step in statement.plan)
    assert any('"name"' in index for index in found.indexes)


def test_a_query_that_reads_all_is_found_out() -> None:
    found = explained(view(), None)
    total = next(query for query in found.queries if query.name == "sum")
    assert [statement.scans for statement in total.statements] != [()]


def test_a_file_that_is_there_is_asked(tmp_path: Path) -> None:
    written = Written(tmp_path)
    [path] = written.folder.glob("*.sqlite")
    assert explained(view(), path) == explained(view(), None)
    written.files.close()
