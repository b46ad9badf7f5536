"""What the run process makes of what the controller reports: events for whoever started it."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from actorkalix.runtime import config as said
from actorkalix.runtime.config import Report
from actorkalix.runtime.orders import HostFacts
from actorkalix_cluster.rayhost.events import (
    Ending,
    HostDied,
    HostDrains,
    HostServes,
    StoreFenced,
)
from actorkalix_cluster.rayhost.supervise import ControllerDied, ControllerServes, RunEvent


class Seen:
    """What is known of the fleet.

    Attributes:
        stores: how many there are.
        hosts: process id by store.
        fenced: reason by store.
        shards: number of shards served.
        damaged: shards that are not served, with the reason.
        controller: process id.
    """

    def __init__(self) -> None:
        self.stores = 0
        self.hosts: dict[int, int] = {}
        self.fenced: dict[int, str] = {}
        self.shards = 0
        self.damaged: dict[int, str] = {}
        self.controller = 0


class Teller:
    """Turns events of the fleet into those of a run. `Serving` comes when every store is served or
    fenced for the first time, before that nothing of them is told.

    Args:
        report: gets the events.
        serving: makes `Serving`.
    """

    def __init__(self, report: Report, serving: Callable[[Seen], said.Serving]) -> None:
        self._report = report
        self._serving = serving
        self._served = False
        self._stopping = False
        self.seen = Seen()

    def tell(self, event: RunEvent) -> None:
        """Take note of an event and report what follows from it."""
        seen = self.seen
        match event:
            case ControllerServes(pid, before):
                seen.controller = pid
                if before:
                    self._report(said.ControllerBack(pid))
            case ControllerDied(pid, reason):
                self._report(said.ControllerDied(pid, reason))
            case HostServes(store, pid, facts, away_s):
                self._serves(store, pid, msgspec.msgpack.decode(facts, type=HostFacts), away_s)
            case HostDied(store, pid, reason, deaths):
                seen.hosts.pop(store, None)
                self._report(said.HostDied(store, pid, reason, deaths))
            case StoreFenced(store, reason):
                seen.fenced[store] = reason
                seen.hosts.pop(store, None)
                if len(seen.fenced) < seen.stores:  # else the run ends, and says why
                    self._report(said.StoreFenced(store, reason))
                    self._look()
            case HostDrains(store, pid) if not self._stopping:
                self._report(said.Replacing(store, pid))
            case HostDrains() | Ending():
                return

    def stop(self) -> None:
        """From now on hosts drain because everything stops."""
        self._stopping = True

    def _serves(self, store: int, pid: int, facts: HostFacts, away_s: float) -> None:
        seen = self.seen
        seen.hosts[store] = pid
        seen.hosts = dict(sorted(seen.hosts.items()))
        if self._served:
            self._report(said.Restarted(store, pid, away_s))
            return
        seen.shards += facts.shards
        seen.damaged.update(facts.damaged)
        self._look()

    def _look(self) -> None:
        seen = self.seen
        if not self._served and seen.hosts and len(seen.hosts) + len(seen.fenced) >= seen.stores:
            self._served = True
            self._report(self._serving(seen))
