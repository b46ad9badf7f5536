"""`TestService`: a whole service in one process, on virtual time."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from actorkalix.errors import NotInThisVersion
from actorkalix.model.client import Client
from actorkalix.model.service import Service

if TYPE_CHECKING:
    from typing import Self


class TestService:
    """A whole service in one process, on virtual time."""

    __test__ = False  # pytest: it is no test class

    def __init__(self, service: Service, /) -> None:
        raise NotInThisVersion("TestService comes soon")

    @property
    def client(self) -> Client:
        """Calls the service."""
        raise NotInThisVersion("TestService comes soon")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None: ...

    async def advance(self, by: timedelta, /) -> None:
        """Let time pass."""
