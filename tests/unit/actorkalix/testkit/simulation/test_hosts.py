"""Simulated hosts: their clocks, and what is noted of each step."""

from __future__ import annotations

import pytest

from actorkalix.runtime.virtual import START_MS
from actorkalix.testkit.simulation.chance import Chance
from actorkalix.testkit.simulation.hosts import HostClock, Written, operation_of
from actorkalix.testkit.simulation.loop import SimulationLoop
from actorkalix_storage.api import Record, RecordKind

from .worlds import Life, add, call, calm, live, pass_ms, plan_of


def record() -> Record:
    return Record(RecordKind.EVENT, "cart", "a", 1, 1)


def test_a_clock_is_off_by_so_much() -> None:
    loop = SimulationLoop(Chance(0))
    clock = HostClock(loop, -2_500)
    called: list[int] = []

    def jump() -> None:
        clock.offset_us += 7_000_000
        called.append(clock.now_ms())

    assert clock.now_ms() == START_MS - 3
    clock.call_later(10, lambda: called.append(clock.now_ms()))
    loop.call_later(0.005, jump)
    loop.call_later(0.02, loop.stop)
    loop.run_forever()
    assert called == [START_MS + 7_002, START_MS + 7_007], "10 ms after, whatever the clock says"
    loop.close()


def test_the_source_of_a_record_is_that_of_the_very_record() -> None:
    written = Written()
    mine, same = record(), record()
    written.note(mine, 3, "host 0.1")
    assert written.of(mine) == (3, "host 0.1")
    assert written.of(same) == (None, "")


def test_an_operation_is_silent_if_none_of_its_steps_made_a_record() -> None:
    written = Written()
    written.stepped(1, 0, "1.1")
    written.stepped(2, 1, "1.1")
    written.stepped(3, 0, "1.1")
    written.stepped(3, 2, "1.1")
    written.stepped(4, 2, "1.1")
    written.stepped(4, 0, "1.1")
    written.stepped(5, 2, "1.1")
    written.stepped(5, 0, "1.2")  # what it wrote was lost with the host, and another has done it
    written.stepped(6, 0, "1.1")
    written.stepped(6, 2, "1.2")
    assert written.silent == {1, 5}


@pytest.mark.parametrize("text, operation", [("op-12", 12), ("", None), ("local-3", None)])
def test_operations_are_known_by_their_correlation_ids(text: str, operation: int | None) -> None:
    assert operation_of(text) == operation


def test_each_record_has_its_operation_and_its_writer() -> None:
    async def script(life: Life) -> None:
        await life.ask(add(1))
        await life.ask(call("swap", b'{"out":1,"back":2}', number=1))
        await life.ask(call("tell", number=2))
        await life.ask(call("get", number=3))

    life = live(plan_of(), script)
    events = [each for each in life.stored() if each.kind is RecordKind.EVENT]
    assert [each.operation for each in events] == [1, 2, 2]
    assert {each.writer for each in events} == {f"host {life.home()}.1"}
    assert life.world.written.silent == {3, 4}


def test_each_step_is_in_the_trace() -> None:
    async def script(life: Life) -> None:
        await life.ask(add(1))
        await life.ask(call("take", b'{"by":5}', number=1))
        await life.ask(call("add", b'{"by":"x"}', number=2))

    life = live(plan_of(), script)
    steps = [line for line in life.world.trace.lines if "account e0." in line]
    assert f"host {life.home()}.1: account e0.add [op-1] 1 records, " in steps[0]
    assert f"host {life.home()}.1: account e0.take [op-2] 0 records, " in steps[1]
    assert f"host {life.home()}.1: account e0.add [op-3] refused AK2002" in steps[2]


@pytest.mark.parametrize("method", ["tell", "take", "get"])
def test_a_step_that_answers_otherwise_is_another_line(method: str) -> None:
    """A refusal too, of which the records and the value are the same."""

    def last(amount: int) -> str:
        async def script(life: Life) -> None:
            await life.ask(add(amount))
            await life.ask(call(method, b'{"by":9}' if method == "take" else b"", number=1))

        lines = live(plan_of(), script).world.trace.lines
        return [each for each in lines if " records, " in each][-1]

    assert last(1) == last(1)
    assert last(1) != last(2)


def test_a_host_that_retires_answers_what_others_do_for_it() -> None:
    async def script(life: Life) -> None:
        host = life.host(0)
        found = life.through(host, add(1, entity=life.entity_at(1)))
        await pass_ms(0.2)
        await life.world.loop.spawn(host.process, host.retire(1.0))
        assert [reply.failure for reply in found] == [None]

    live(plan_of(rates=calm(commit_min_us=3_000)), script)


def test_a_host_that_retires_answers_what_it_has_and_takes_no_more() -> None:
    async def script(life: Life) -> None:
        host, entity = life.host(0), life.entity_at(0)
        found = life.through(host, add(1, entity=entity))
        await pass_ms(0.2)
        assert found == []
        retired = life.world.loop.spawn(host.process, host.retire(1.0))
        await pass_ms(0)
        await retired
        assert [reply.failure for reply in found] == [None]
        late = life.through(host, add(1, entity=entity))
        await pass_ms(10_000)
        (failure,) = [reply.failure for reply in late]
        assert failure is not None
        assert failure.outcome == "not_executed"

    live(plan_of(rates=calm(commit_min_us=3_000)), script)
