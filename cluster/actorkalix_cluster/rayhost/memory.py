"""What a controller must not forget when it is killed: deaths of hosts, fenced stores, components
that blocked. One small file in the run's scratch folder; a new run begins without it.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

import msgspec

DEATHS_MAX = 5
DEATHS_WITHIN_S = 60.0
_NAME = "fleet"


class _Kept(msgspec.Struct):
    deaths: dict[int, list[float]] = {}
    fenced: dict[int, str] = {}
    blocked: dict[str, str] = {}


class Memory:
    """See the module.

    Attributes:
        fenced: reason by store.
        blocked: reason by component.
    """

    def __init__(self, file: Path, kept: _Kept) -> None:
        self._file = file
        self._kept = kept
        self.fenced = kept.fenced
        self.blocked = kept.blocked

    @classmethod
    def read(cls, scratch: Path) -> Memory:
        """What the controller before has left; nothing, when there was none in this run."""
        kept = _Kept()
        with contextlib.suppress(FileNotFoundError, msgspec.MsgspecError):  # begin anew
            kept = msgspec.msgpack.decode((scratch / _NAME).read_bytes(), type=_Kept)
        return cls(scratch / _NAME, kept)

    @staticmethod
    def forget(scratch: Path) -> None:
        """A new run begins."""
        (scratch / _NAME).unlink(missing_ok=True)

    def died(self, store: int, now_s: float) -> int:
        """Count a death of a store's host; returns how many there were within `DEATHS_WITHIN_S`."""
        deaths = self._kept.deaths.setdefault(store, [])
        deaths.append(now_s)
        del deaths[:-DEATHS_MAX]
        self._write()
        return self.deaths(store, now_s)

    def deaths(self, store: int, now_s: float) -> int:
        """How many there were lately."""
        return sum(now_s - at <= DEATHS_WITHIN_S for at in self._kept.deaths.get(store, []))

    def fence(self, store: int, reason: str) -> None:
        """Nobody opens the store any more."""
        if self.fenced.get(store) != reason:
            self.fenced[store] = reason
            self._write()

    def block(self, components: dict[str, str]) -> None:
        """These are not served any more."""
        if not components.keys() <= self.blocked.keys():
            self.blocked.update(components)
            self._write()

    def _write(self) -> None:
        """In whole or not at all; it need not survive the machine, only this process."""
        waiting = self._file.with_suffix(".new")
        waiting.write_bytes(msgspec.msgpack.encode(self._kept))
        waiting.replace(self._file)
