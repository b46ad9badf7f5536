"""Views and SQL over the admin port of a running service."""

from __future__ import annotations

import asyncio

import pytest

from actorkalix.cli.admin import AdminInspection
from actorkalix.cli.view_admin import AdminViews
from actorkalix.errors import AdminUnreachable, SqlRefused
from actorkalix.view_listing import SqlOrder, ViewDropped, ViewOrder
from tests.unit.actorkalix.gateway.viewed import CARTS, EXPLAINED, FOUND, OLD, PARKED, TABLE


def test_all_that_is_offered_comes_as_it_was_said(viewed: str) -> None:
    async def scenario() -> None:
        async with AdminInspection(viewed) as service:
            views = AdminViews(service)
            assert await views.listed() == [CARTS, OLD]
            assert await views.parked("carts", limit=5) == [PARKED]
            assert await views.explained("carts") == EXPLAINED
            assert await views.drop("old") == ViewDropped("old", True)
            assert await views.rebuild("carts") == ViewOrder("carts")
            assert await views.sql(SqlOrder("SELECT 1", 5)) == FOUND
            assert await views.sql_tables() == [TABLE]
            with pytest.raises(SqlRefused, match="near nonsense"):
                await views.sql(SqlOrder("nonsense"))

    asyncio.run(scenario())


def test_where_nobody_answers_that_is_said() -> None:
    async def scenario() -> None:
        async with AdminInspection("http://127.0.0.1:9") as service:
            with pytest.raises(AdminUnreachable):
                await AdminViews(service).listed()

    asyncio.run(scenario())
