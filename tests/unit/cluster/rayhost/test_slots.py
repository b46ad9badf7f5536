"""A store's place in the fleet: what each turn means to those who look at it."""

from __future__ import annotations

import asyncio
from pathlib import Path

from actorkalix_cluster.rayhost.slots import Slot, SlotState
from tests.unit.cluster.rayhost.puppets import Puppet, stage


def test_a_store_goes_through_its_states(tmp_path: Path) -> None:
    async def scenario(actor: Puppet) -> None:
        slot = Slot(3)
        assert (slot.state, slot.is_open) == (SlotState.AWAY, False)
        slot.replace.set()
        slot.start(actor.actor(), 7)
        assert (slot.state, slot.is_open, slot.incarnation) == (SlotState.STARTING, False, 7)
        assert not slot.replace.is_set(), "a host that was to be replaced is another one"
        assert slot.serve() == 0.0, "nobody had it before"
        assert slot.is_open
        slot.drain()
        assert (slot.state, slot.is_open) == (SlotState.DRAINING, True)
        slot.lose()
        assert (slot.state, slot.is_open, slot.actor) == (SlotState.AWAY, False, None)
        slot.start(actor.actor(), 8)
        assert slot.serve() > 0.0
        slot.fence("it kills its hosts")
        assert (slot.state, slot.is_open, slot.reason) == (
            SlotState.FENCED,
            False,
            "it kills its hosts",
        )

    with stage(tmp_path) as on:

        async def play() -> None:
            puppet = Puppet("shop/process-1")
            on.puppets.append(puppet)
            await scenario(puppet)

        asyncio.run(play())


def test_who_waits_for_a_change_sees_the_next_one() -> None:
    async def scenario() -> None:
        slot = Slot(0)
        waiting = asyncio.create_task(slot.changed())
        await asyncio.sleep(0)
        assert not waiting.done()
        slot.lose()
        await waiting

    asyncio.run(scenario())
