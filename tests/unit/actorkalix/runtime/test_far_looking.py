"""What operators ask of a view on another node, answered by its process."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest

from actorkalix.errors import SqlRefused
from actorkalix.runtime.far_looking import LOOK, PARKED, SQL, SqlAsked, far_methods
from actorkalix.view_listing import ParkedRowView, SqlOrder, ViewView
from actorkalix.views import adhoc
from tests.unit.actorkalix.runtime.counted import Written, view


def asked(written: Written, method: str, arguments: object = None) -> bytes:
    methods = far_methods(view(), written.folder)
    answer = methods[method](msgspec.json.encode(arguments))

    async def main() -> bytes:
        return await answer

    return asyncio.run(main())


def test_it_looks_at_its_files(tmp_path: Path) -> None:
    written = Written(tmp_path)
    found = msgspec.json.decode(asked(written, LOOK), type=ViewView)
    assert (found.view, found.state, found.passed) == ("tallies", "serving", 4)
    assert msgspec.json.decode(asked(written, PARKED, 5), type=list[ParkedRowView]) == []
    written.files.close()


def test_sql_is_asked_with_the_states_that_it_names(tmp_path: Path) -> None:
    written = Written(tmp_path)
    states: adhoc.States = {"counter": (["number"], [adhoc.State("c1", 1, {"number": 3})])}

    def sql(text: str) -> adhoc.Found:
        order = SqlAsked(SqlOrder(text), {"counts": "tallies"}, states)
        return msgspec.json.decode(asked(written, SQL, order), type=adhoc.Found)

    found = sql("SELECT number, (SELECT count(*) FROM counts) FROM entities_counter")
    assert found.rows == [[3, 0]]
    with pytest.raises(SqlRefused):
        sql("SELECT * FROM nothing")
    written.files.close()
