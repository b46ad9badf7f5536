"""What the watchdog is told, and what a blocked component is refused."""

from __future__ import annotations

import logging

import pytest

from actorkalix.runtime.virtual import settle
from actorkalix_cluster.shardhost.messages import MessageKind
from actorkalix_cluster.shardhost.ticket import Stage
from tests.unit.cluster.shardhost.counter import COUNTER
from tests.unit.cluster.shardhost.rig import Rig, number_of, rig, run, total_of


def block(r: Rig) -> None:
    """As the watchdog does."""
    r.watch.off[COUNTER] = "three strikes"


def test_all_user_code_is_written_down_while_it_runs() -> None:
    async def case() -> None:
        seen: list[str] = []
        async with rig() as r:
            r.behavior.during = lambda: seen.append(r.watch.held_by())
            await r.add(1, key="k")
            await r.add(1, key="k")
            await r.query()
            await r.ask("explode")
            assert r.watch.work is None
            await r.ask("lend", 5)
            await r.clock.advance(5)
            assert r.watch.work is None
        assert seen == [
            "counter 'a'.add",
            "the remembered reply of counter 'a'",
            "counter 'a'.tell",
            "counter 'a'.explode",
            "counter 'a'.lend",
            "counter 'a'.expire",
        ]

    run(case())


def test_loads_and_snapshots_are_written_down(monkeypatch: pytest.MonkeyPatch) -> None:
    async def case() -> None:
        seen: list[str] = []
        async with rig() as r:
            for name in ("empty", "restore", "snapshot"):
                real = getattr(r.behavior, name)

                def told(*args: object, real: object = real) -> object:
                    seen.append(r.watch.held_by())
                    assert callable(real)
                    return real(*args)

                monkeypatch.setattr(r.behavior, name, told)
            await r.ask("add_each", "1 1 1 1 1")
            await settle()
            await r.crash()
            assert await r.query() == 5
            assert r.watch.work is None
        load, snapshot = "the load of counter 'a'", "the snapshot of counter 'a'"
        assert seen == [load, snapshot, load]

    run(case())


def test_writing_the_log_is_not_the_handlers_time() -> None:
    async def case() -> None:
        seen: list[str] = []

        class Listens(logging.Handler):
            def emit(self, record: logging.LogRecord) -> None:
                seen.append(r.watch.held_by())

        listens = Listens()
        async with rig() as r:
            logging.getLogger("actorkalix.entity").addHandler(listens)
            await r.ask("explode")
            await r.ask("fault")
            logging.getLogger("actorkalix.entity").removeHandler(listens)
        assert seen == ["", ""]

    run(case())


@pytest.mark.parametrize("kind", [MessageKind.COMMAND, MessageKind.QUERY])
def test_a_blocked_component_is_refused_before_it_starts(kind: MessageKind) -> None:
    async def case() -> None:
        async with rig() as r:
            await r.add(1)
            block(r)
            r.behavior.during = lambda: pytest.fail("its code was called")
            ticket = r.send("tell", kind=kind)
            assert number_of(ticket.reply) == "AK3007"
            assert ticket.stage is Stage.ANSWERED
            assert number_of(await r.ask("tell", entity="never loaded", kind=kind)) == "AK3007"
            assert r.host.stats().live == {COUNTER: 1}

    run(case())


def test_what_waits_in_a_mailbox_or_for_a_key_is_refused() -> None:
    async def case() -> None:
        async with rig(speculation_max=1) as r:
            await r.add(1, key="used")
            r.committer.hold_commits = r.committer.hold_reads = True
            again, new = r.send("add", 1, key="used"), r.send("add", 1, key="new")
            waits = r.send("add", 1)
            block(r)
            await r.committer.release()
            await r.committer.release()
            numbers = [number_of(ticket.reply) for ticket in (again, new, waits)]
            assert numbers == ["AK3007"] * 3

    run(case())


def test_what_was_started_runs_to_its_end() -> None:
    async def case() -> None:
        async with rig() as r:
            await r.add(1)
            r.committer.hold_commits = True
            started = r.send("add", 1)
            await settle()
            block(r)
            await r.committer.release()
            assert total_of(started.reply) == 2

    run(case())


def test_a_host_that_takes_over_refuses_from_its_start_and_the_next_start_answers() -> None:
    async def case() -> None:
        async with rig() as r:
            await r.add(1)
            r.blocked = {COUNTER: "it hung"}
            await r.crash()
            assert number_of(await r.ask("tell")) == "AK3007"
            r.blocked = {}
            await r.crash()
            assert await r.query() == 1

    run(case())


def test_times_of_a_blocked_component_wait_for_the_next_start() -> None:
    async def case() -> None:
        async with rig() as r:
            await r.ask("lend", 5_000)
            block(r)
            reads = r.committer.reads
            await r.clock.advance(3_600_000)
            assert r.committer.reads - reads < 60  # looked for now and then, not tried each second
            assert r.host.idle
            await r.crash()
            assert number_of(await r.ask("add", 1)) == "AK2009"

    run(case())
