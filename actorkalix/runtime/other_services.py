"""Other services on the same Ray cluster, with errors that users know."""

from __future__ import annotations

import difflib
from typing import Protocol

from actorkalix.errors import InternalError, ServiceNotThere, catalog
from actorkalix_cluster.rayhost.contract import CallRefused
from actorkalix_cluster.rayhost.others import ServiceAway


class Ways(Protocol):
    """`rayhost.others.Others`."""

    async def call(self, service: str, method: str, arguments: bytes, /) -> bytes:
        """Ask the controller of a service."""
        ...


class OtherServices:
    """`stream_words.Services` over Ray.

    Args:
        ways: to their controllers.
    """

    def __init__(self, ways: Ways) -> None:
        self._ways = ways

    async def call(self, service: str, method: str, arguments: bytes) -> bytes:
        """Ask the controller of a service.

        Raises:
            ServiceNotThere: there is none, or it does not answer.
            ActorkalixError: what it said instead.
        """
        try:
            return await self._ways.call(service, method, arguments)
        except ServiceAway as away:
            near = difflib.get_close_matches(service, away.there, n=1)
            hint = f"; did you mean {near[0]}?" if near and near[0] != service else ""
            there = f"; there is {', '.join(away.there)}" if away.there else ""
            raise ServiceNotThere(f"{away}{hint}{there}") from away
        except CallRefused as refused:
            raise catalog().get(refused.number, InternalError)(str(refused)) from refused
