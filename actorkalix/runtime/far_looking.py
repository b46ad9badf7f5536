"""What operators ask of a view whose files lie on another node: its process looks at them there."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from actorkalix.describe.descriptors import ComponentDescriptor
from actorkalix.runtime.view_looking import looked_at, parked_in, served
from actorkalix.view_listing import SqlOrder
from actorkalix.views import adhoc

LOOK, PARKED, SQL = "look", "parked", "sql"
SQL_S_MAX = 30.0
SQL_BYTES_MAX = 32 * 2**20  # of a statement with its states: beside 80 MB of Ray's object store


class FarAsked(msgspec.Struct, frozen=True):
    """What a host hands on to the process of a view: `method` is one of `far_methods`."""

    view: str
    method: str
    arguments: bytes


class SqlAsked(msgspec.Struct, frozen=True):
    """A statement over one view.

    Attributes:
        order: what was asked.
        tables: names of the view's tables, by the names that the statement uses.
        states: copied for it.
    """

    order: SqlOrder
    tables: dict[str, str]
    states: adhoc.States


def far_methods(
    component: ComponentDescriptor, folder: Path
) -> Mapping[str, Callable[[bytes], Awaitable[bytes]]]:
    """What a view's process offers for that, JSON both ways.

    Args:
        component: the view's descriptor.
        folder: of its files.
    """
    view, shapes = component.component_id, component.view

    def look(_: bytes) -> Any:
        return looked_at(view, folder, component, None)

    def parked(limit: bytes) -> Any:
        return parked_in(view, folder, msgspec.json.decode(limit, type=int))

    def sql(arguments: bytes) -> Any:
        asked = msgspec.json.decode(arguments, type=SqlAsked)
        uri = served(view, folder)
        assert shapes is not None, "the component is a view"
        tables = [
            adhoc.Table(name, uri, view, shapes.tables[table].shape)
            for name, table in asked.tables.items()
        ]
        order = asked.order
        return adhoc.answer(order.sql, tables, asked.states, limit=order.limit, timeout_s=SQL_S_MAX)

    return {LOOK: _aside(look), PARKED: _aside(parked), SQL: _aside(sql)}


def _aside(work: Callable[[bytes], Any]) -> Callable[[bytes], Awaitable[bytes]]:
    async def method(arguments: bytes) -> bytes:
        return msgspec.json.encode(await asyncio.to_thread(work, arguments))

    return method
