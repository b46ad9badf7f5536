"""Large states are written ahead under faults too; planted bugs of that are found."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from actorkalix import Effect, Service, ValueEntity, command, query
from actorkalix.testkit import SimulationFailed, simulate
from actorkalix_cluster.shardhost.actor import Flight
from actorkalix_cluster.shardhost.commits import CommitQueue
from actorkalix_storage.api import AHEAD_BYTES

FILLING = "x" * (AHEAD_BYTES + 10)


@dataclass(frozen=True)
class Page:
    times: int = 0
    filling: str = ""


class Board(ValueEntity[Page], id="board"):
    """Every other state is a large one."""

    def empty_state(self) -> Page:
        return Page()

    @command
    def write(self) -> Effect[int]:
        times = self.state.times + 1
        filling = FILLING if times % 2 else ""
        return self.effects.update_state(Page(times, filling)).then_reply(lambda page: page.times)

    @query
    def times(self) -> int:
        return self.state.times


SERVICE = Service("boards", components=[Board])


@pytest.mark.timeout(240)
def test_states_large_and_small_survive_all_faults() -> None:
    told: list[object] = []
    simulate(SERVICE, runs=12, operations=60, entities=2, on_run=told.append)
    assert len(told) == 12


@pytest.mark.timeout(240)
def test_commands_that_overtake_a_state_on_its_way_are_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write_ahead = CommitQueue._write_ahead

    def at_once(self: CommitQueue, flight: Flight, state: bytes) -> None:
        write_ahead(self, flight, state)
        flight.actor.ahead = False  # others overtake

    monkeypatch.setattr(CommitQueue, "_write_ahead", at_once)
    with pytest.raises(SimulationFailed):
        simulate(SERVICE, runs=30, operations=60, entities=1, shrinks=False, faults="none")
