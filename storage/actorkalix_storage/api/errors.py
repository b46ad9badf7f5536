"""What can go wrong below: each error says whether anything was executed."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

if TYPE_CHECKING:
    from .records import Refused

Outcome = Literal["not_executed", "unknown"]


class StoreError(Exception):
    """Root of the storage's errors.

    Attributes:
        number: the page that `actorkalix explain` knows.
        outcome: `not_executed`: nothing of it is stored, anyone may send again;
            `unknown`: it may be stored.
    """

    number: ClassVar[str] = "AK4000"
    outcome: ClassVar[Outcome] = "not_executed"


class StoreFull(StoreError):
    """No space left for the commit; nothing of it is stored and the store goes on reading."""

    number = "AK3003"


class StoreInUse(StoreError):
    """Another process has the data folder open; the message names it."""

    number = "AK4004"


class ForeignStore(StoreError):
    """The folder belongs to another service, cluster or store number, or was copied."""

    number = "AK4003"


class UnsupportedFormat(StoreError):
    """The folder was written by another version of the format."""

    number = "AK4005"


class Damaged(StoreError):
    """Bytes on disk are not what was written; the message names file, place and what is wrong."""

    number = "AK4001"


class DurabilityLost(StoreError):
    """A sync or the meta page failed: what is on disk is not known.

    The process must end; recovery reads the truth.
    """

    number = "AK3102"
    outcome = "unknown"


class Unreadable(StoreError):
    """The folder cannot be used: missing, read-only, not a folder."""

    number = "AK4006"


class AppendRefused(StoreError):
    """An append that stands alone was left out; `refused` says why."""

    def __init__(self, refused: Refused) -> None:
        super().__init__(refused.reason)
        self.refused = refused
