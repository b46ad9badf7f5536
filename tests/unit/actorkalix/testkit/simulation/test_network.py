"""The simulated network: what arrives, and what its sender is told."""

from __future__ import annotations

from asyncio import sleep as virtual_sleep  # of the simulation's loop
from collections.abc import Iterator

import pytest

from actorkalix.testkit.simulation.chance import Chance
from actorkalix.testkit.simulation.faults import Conditions, Faults
from actorkalix.testkit.simulation.loop import SimulationLoop
from actorkalix.testkit.simulation.network import LOST_US, REORDERED_TIMES, Network
from actorkalix.testkit.simulation.processes import PROCESS
from actorkalix_cluster.shardhost.link_sender import PeerEnded

from .worlds import calm

DELAY_US = 50
CALM = calm(network_min_us=DELAY_US)


class Host:
    """A peer that keeps what it receives."""

    def __init__(self, loop: SimulationLoop, number: int) -> None:
        self.process = loop.process(f"host {number}")
        self.number = number
        self.received: list[bytes] = []

    def receive(self, batch: bytes) -> None:
        assert PROCESS.get(None) is self.process, "in its own process"
        self.received.append(batch)


class Lines:
    """Two hosts, the network between them, and what the first one was told."""

    def __init__(self, seed: int = 0, rates: Faults = CALM) -> None:
        self.loop = SimulationLoop(Chance(seed))
        self.conditions = Conditions(rates)
        self.network = Network(self.loop, Chance(seed).fork("network"), self.conditions)
        self.one, self.other = Host(self.loop, 0), Host(self.loop, 1)
        self.told: list[Exception | None] = []

    def send(self, batch: bytes = b"batch") -> None:
        """From the first to the second."""
        self.network.way(self.one, self.other).send(batch, self.told.append)

    def answer(self, batch: bytes = b"back") -> None:
        """From the second to the first."""
        self.network.way(self.other, self.one).send(batch, lambda error: None)

    def until(self, us: int) -> None:
        self.loop.run_until_complete(virtual_sleep((us - self.loop.now_us) / 1e6))

    def nobody_knows(self) -> bool:
        """The sender was told once, and that."""
        (told,) = self.told
        return isinstance(told, OSError)


@pytest.fixture
def lines() -> Iterator[Lines]:
    lines = Lines()
    yield lines
    lines.loop.close()


def test_a_batch_arrives_and_its_sender_is_told(lines: Lines) -> None:
    lines.send()
    lines.until(DELAY_US - 1)
    assert lines.other.received == []
    lines.until(DELAY_US + 1)
    assert (lines.other.received, lines.told) == ([b"batch"], [])
    lines.until(2 * DELAY_US + 1)
    assert lines.told == [None]


def test_of_a_dropped_batch_nobody_knows() -> None:
    """Whether it was the batch or its receipt is a coin."""
    found: set[int] = set()
    for seed in range(20):
        lines = Lines(seed, calm(network_min_us=DELAY_US, drop=1))
        lines.send()
        lines.until(LOST_US - 1)
        assert lines.told == []
        lines.until(LOST_US + 1)
        assert lines.nobody_knows()
        found.add(len(lines.other.received))
        lines.loop.close()
    assert found == {0, 1}


def test_a_duplicate_arrives_twice_and_is_told_once(lines: Lines) -> None:
    lines.conditions.rates = calm(network_min_us=DELAY_US, duplicate=1)
    lines.send()
    lines.until(10 * DELAY_US)
    assert lines.other.received == [b"batch", b"batch"]
    assert lines.told == [None]


def test_a_later_batch_may_come_first(lines: Lines) -> None:
    lines.conditions.rates = calm(network_min_us=DELAY_US, reorder=1)
    lines.send(b"first")
    lines.conditions.rates = CALM
    lines.send(b"second")
    lines.until(2 * REORDERED_TIMES * DELAY_US)
    assert lines.other.received == [b"second", b"first"]


def test_a_swallowed_batch_is_lost_however_often_it_is_sent(lines: Lines) -> None:
    lines.conditions.rates = calm(network_min_us=DELAY_US, swallow=1)
    lines.send(b"first")
    lines.conditions.rates = CALM
    lines.send(b"first")
    lines.send(b"second")
    lines.until(LOST_US + 1)
    assert lines.other.received == [b"second"]
    assert [type(each) for each in lines.told] == [type(None), OSError, OSError]
    lines.network.heal()
    lines.send(b"first")
    lines.until(2 * LOST_US)
    assert lines.other.received == [b"second", b"first"]


def test_nothing_passes_one_way(lines: Lines) -> None:
    lines.network.part(0, 1, 1_000)
    lines.send()
    lines.answer()
    lines.until(LOST_US + 1)
    assert lines.nobody_knows()
    assert lines.other.received == []
    assert lines.one.received == [b"back"]


def test_receipts_go_the_other_way(lines: Lines) -> None:
    """A partition in one direction: what is sent arrives, and nobody hears of it."""
    lines.network.part(1, 0, 1_000)
    lines.send()
    lines.until(10 * DELAY_US)
    assert (lines.other.received, lines.told) == ([b"batch"], [])
    lines.until(DELAY_US + LOST_US + 1)
    assert lines.nobody_knows()


def test_a_partition_ends_by_itself_and_the_longer_one_counts(lines: Lines) -> None:
    lines.network.part(0, 1, 1_000)
    lines.network.part(0, 1, 10)
    lines.until(900)
    lines.send(b"early")
    lines.until(1_001)
    lines.send(b"late")
    lines.until(2_000)
    assert lines.other.received == [b"late"]


def test_a_partition_is_healed(lines: Lines) -> None:
    lines.network.part(0, 1, 1_000_000)
    lines.network.heal()
    lines.send()
    lines.until(10 * DELAY_US)
    assert lines.told == [None]


@pytest.mark.parametrize("dies_at_us", [0, DELAY_US // 2])
def test_of_a_dead_peer_the_end_is_told(lines: Lines, dies_at_us: int) -> None:
    lines.send()
    lines.until(dies_at_us)
    lines.other.process.kill()
    lines.until(10 * DELAY_US)
    assert [type(each) for each in lines.told] == [PeerEnded]
    assert lines.other.received == []


def test_what_a_killed_sender_has_sent_arrives(lines: Lines) -> None:
    lines.send()
    lines.one.process.kill()
    lines.until(10 * DELAY_US)
    assert lines.other.received == [b"batch"]
    assert lines.told == [], "nobody is there"


def test_a_stopped_peer_takes_it_when_it_goes_on(lines: Lines) -> None:
    """Its sender is told no sooner, for a kill would take the batch along."""
    lines.other.process.pause()
    lines.send()
    lines.until(10 * LOST_US)
    assert (lines.other.received, lines.told) == ([], [])
    lines.other.process.resume()
    lines.until(11 * LOST_US)
    assert (lines.other.received, lines.told) == ([b"batch"], [None])


def test_a_stopped_sender_is_told_when_it_goes_on(lines: Lines) -> None:
    lines.send()
    lines.one.process.pause()
    lines.until(10 * DELAY_US)
    assert (lines.other.received, lines.told) == ([b"batch"], [])
    lines.one.process.resume()
    lines.until(11 * DELAY_US)
    assert lines.told == [None]
