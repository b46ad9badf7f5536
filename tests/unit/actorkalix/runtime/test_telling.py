"""What the fleet reports becomes what whoever started the run is told."""

from __future__ import annotations

import msgspec

from actorkalix.runtime import config as said
from actorkalix.runtime.config import RunEvent
from actorkalix.runtime.orders import HostFacts
from actorkalix.runtime.telling import Seen, Teller
from actorkalix_cluster.rayhost.events import HostDied, HostDrains, HostServes, StoreFenced
from actorkalix_cluster.rayhost.supervise import ControllerDied, ControllerServes

FACTS = msgspec.msgpack.encode(HostFacts(512, {7: "checksum"}))


def serving(seen: Seen) -> said.Serving:
    """As a run makes it, without what it knows of itself."""
    return said.Serving(
        service="shop",
        url="",
        admin_url="",
        data="",
        durability="",
        shards=seen.shards,
        damaged=dict(seen.damaged),
        components={},
        hosts=dict(seen.hosts),
        fenced=dict(seen.fenced),
        pids={"controller": seen.controller},
        ray_logs="",
        seconds=0.0,
    )


def telling(stores: int) -> tuple[Teller, list[RunEvent]]:
    """A teller and what it tells."""
    told: list[RunEvent] = []
    teller = Teller(told.append, serving)
    teller.seen.stores = stores
    return teller, told


def test_it_serves_when_every_store_does() -> None:
    teller, told = telling(2)
    teller.tell(ControllerServes(5, 0))
    teller.tell(HostServes(1, 11, FACTS, 0.0))
    assert told == []
    teller.tell(HostServes(0, 10, FACTS, 0.0))
    (event,) = told
    assert isinstance(event, said.Serving)
    assert event.hosts == {0: 10, 1: 11}
    assert list(event.hosts) == [0, 1]
    assert (event.shards, event.damaged, event.pids) == (1024, {7: "checksum"}, {"controller": 5})


def test_a_store_that_is_fenced_is_not_waited_for() -> None:
    teller, told = telling(2)
    teller.tell(HostServes(0, 10, FACTS, 0.0))
    teller.tell(StoreFenced(1, "it kills its hosts", ""))
    fenced, event = told
    assert fenced == said.StoreFenced(1, "it kills its hosts")
    assert isinstance(event, said.Serving)
    assert event.fenced == {1: "it kills its hosts"}


def test_when_the_last_one_is_fenced_the_end_says_why() -> None:
    teller, told = telling(1)
    teller.tell(StoreFenced(0, "a copy", "AK4003"))
    assert told == []


def test_deaths_and_returns_are_told_with_their_store() -> None:
    teller, told = telling(1)
    teller.tell(ControllerServes(5, 0))
    teller.tell(HostServes(0, 10, FACTS, 0.0))
    teller.tell(HostDied(0, 10, "killed", 1))
    teller.tell(HostServes(0, 12, FACTS, 0.5))
    teller.tell(ControllerDied(5, "killed", 1))
    teller.tell(ControllerServes(6, 1))
    assert told[1:] == [
        said.HostDied(0, 10, "killed", 1),
        said.Restarted(0, 12, 0.5),
        said.ControllerDied(5, "killed"),
        said.ControllerBack(6),
    ]


def test_hosts_that_drain_are_replaced_or_everything_stops() -> None:
    teller, told = telling(1)
    teller.tell(HostServes(0, 10, FACTS, 0.0))
    teller.tell(HostDrains(0, 10))
    assert told[-1] == said.Replacing(0, 10)
    teller.stop()
    teller.tell(HostDrains(0, 10))
    assert len(told) == 2
