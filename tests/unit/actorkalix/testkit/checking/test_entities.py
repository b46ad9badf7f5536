"""The sequential model that is the user's own class."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import msgspec
import pytest

from actorkalix import Call, Client, Service
from actorkalix.errors import HistoryUnreadable, IdempotencyKeyReused, ModelFailed
from actorkalix.runtime.in_process import HostTransport
from actorkalix.runtime.virtual import VirtualClock
from actorkalix.testkit import TestService
from actorkalix.testkit.checking import linearizability, model_of
from actorkalix.testkit.history import Operation, Refusal
from actorkalix.testkit.recorder import Recorder
from tests.unit.actorkalix.engine.ledger import Book, Profile
from tests.unit.actorkalix.engine.odd import Board, Odd
from tests.unit.actorkalix.runtime.errands import Tally
from tests.unit.actorkalix.testkit.checking.samples import op

QUERIES = ("total", "who", "theme")


def asked(
    method: str, arguments: Any = None, value: Any = None, kind: str = "", **more: Any
) -> Operation:
    """An operation on a book."""
    kind = kind or ("query" if method in QUERIES else "command")
    return op(1, "a", (0, 1), method, arguments, value, component="book", kind=kind, **more)


def refused(number: str, code: str, message: str = "", details: Any = None) -> dict[str, Any]:
    return {"outcome": "error", "error": Refusal(code, number, message, details)}


def fits(*operations: Operation, model: Any = None) -> bool:
    """Whether they were answered so, one after the other."""
    model = model or model_of(Book)
    state = model.initial("x")
    for operation in operations:
        is_so, state = model.step(state, operation)
        if not is_so:
            return False
    return True


def test_commands_and_queries_are_answered_as_the_class_does() -> None:
    assert fits(
        asked("add", {"amount": 2}, 2), asked("add", {"amount": 3}, 5), asked("total", value=5)
    )
    assert not fits(asked("add", {"amount": 2}, 3))
    assert not fits(asked("add", {"amount": 2}, 2), asked("total", value=3))
    assert not fits(asked("add", {"amount": 2}, **refused("AK2001", "out_of_range")))


def test_domain_errors_are_answers() -> None:
    too_much = refused("AK2001", "out_of_range", "5 too much", {"above": 5})
    assert fits(asked("add", {"amount": 1005}, **too_much), asked("total", value=0))
    assert fits(asked("add", {"amount": 1005}, **refused("", "out_of_range")))
    for wrong in (
        refused("AK2001", "aborted"),
        refused("AK2009", "out_of_range"),
        refused("AK2001", "out_of_range", "6 too much"),
        refused("AK2001", "out_of_range", "5 too much", {"above": 6}),
    ):
        assert not fits(asked("add", {"amount": 1005}, **wrong))
    assert not fits(asked("add", {"amount": 1005}, 1005))


def test_what_a_handler_raises_is_what_a_host_answers() -> None:
    assert fits(asked("crash", **refused("AK2010", "internal", "unexpected error [abc]")))
    assert fits(asked("add", {"amount": "x"}, **refused("AK2002", "invalid_argument")))
    assert fits(asked("vanish", **refused("AK2003", "not_found")))
    assert "AK2010 internal unexpected error (RuntimeError: secret)" in model_of(Book).explain(
        model_of(Book).initial("x"), asked("crash")
    )


def test_one_that_forwards_cannot_be_judged() -> None:
    asked_of_tally = op(1, "a", (0, 1), "round_and_round", None, None, component="tally")
    model = model_of(Tally)
    with pytest.raises(ModelFailed, match=r"Tally\.round_and_round forwards, and a history does"):
        model.step(model.initial("a"), asked_of_tally)


def test_an_end_is_part_of_the_state() -> None:
    gone = refused("AK2009", "failed_precondition")
    assert fits(asked("close", {"why": "done"}), asked("add", {"amount": 1}, **gone))
    assert not fits(asked("close", {"why": "done"}), asked("add", {"amount": 1}, 1))


def test_an_end_alone_makes_another_state() -> None:
    model = model_of(Odd)
    first = model.initial("x")
    _, gone = model.step(first, asked("vanish", outcome="unknown"))
    assert (gone.image, gone.number) == (first.image, first.number)
    assert gone != first


def test_unknown_outcomes_change_what_they_would_have() -> None:
    model = model_of(Book)
    state = model.initial("x")
    is_so, after = model.step(state, asked("add", {"amount": 2}, outcome="unknown"))
    assert is_so
    assert after != state
    assert model.step(state, asked("add", {"amount": 2_000}, outcome="unknown")) == (True, state)


def test_states_are_equal_when_their_bytes_and_numbers_are() -> None:
    model = model_of(Profile)
    first = model.initial("x")
    _, dark = model.step(first, asked("paint", {"theme": "dark"}, outcome="unknown"))
    _, light = model.step(dark, asked("paint", {"theme": "light"}, outcome="unknown"))
    _, again = model.step(first, asked("paint", {"theme": "dark"}, outcome="unknown"))
    assert (dark == again, hash(dark) == hash(again)) == (True, True)
    assert light.image == first.image
    assert light != first  # its sequence number is another, and handlers read it


def test_a_key_is_executed_once() -> None:
    add = asked("add", {"amount": 2}, 2, key="k")
    assert fits(add, add, asked("total", value=2))
    other = asked("add", {"amount": 3}, key="k", **refused("AK2008", "failed_precondition"))
    assert fits(add, other, asked("add", {"amount": 1}, 3, key="l"))
    assert not fits(add, asked("add", {"amount": 2}, 4, key="k"))
    too_much = refused("AK2001", "out_of_range")
    assert fits(*[asked("add", {"amount": 1001}, key="k", **too_much)] * 2, add) is False


def test_metadata_reach_the_handler() -> None:
    assert fits(asked("who", value="x who False yes", metadata=(("a", "yes"),)))
    assert not fits(asked("who", value="x who False yes"))


def test_replies_are_compared_by_value() -> None:
    labels = [f"label-{number}" for number in range(50)]
    given = {"text": "", "labels": labels[::-1]}
    model = model_of(Board)
    _, reply = _reply(model, asked("label", {"labels": labels}))
    value = msgspec.structs.replace(asked("label", {"labels": labels}), value={**reply, **given})
    assert fits(value, model=model)
    fewer = msgspec.structs.replace(value, value={**reply, "labels": labels[1:]})
    assert not fits(fewer, model=model)
    assert not fits(msgspec.structs.replace(value, value=7), model=model)
    assert not fits(asked("add", {"amount": 1}, True))


def _reply(model: Any, operation: Operation) -> tuple[Any, Any]:
    said = model._run(model.initial("x"), operation)[0]
    return said, msgspec.json.decode(said.payload)


def test_a_state_changed_in_place_is_named() -> None:
    model = model_of(Profile)
    with pytest.raises(ModelFailed, match=r"operation 1 .*Profile\.smuggle changed the state in"):
        model.step(model.initial("x"), asked("smuggle", {"tag": "x"}, 1))


def test_a_history_of_another_class_is_named() -> None:
    model = model_of(Book)
    with pytest.raises(HistoryUnreadable, match=r"Book\.add is a command, the history says query"):
        model.step(model.initial("x"), asked("add", {"amount": 1}, kind="query"))


def test_a_time_to_live_that_ends_within_the_history_is_refused() -> None:
    lend = asked("lend", {"amount": 1, "seconds": 5}, 1)
    assert fits(lend, model=model_of(Book, lasts_ms=4_999))
    with pytest.raises(ModelFailed, match=r"Book\.lend gives it a time to live of 5000 ms"):
        fits(lend, model=model_of(Book, lasts_ms=5_000))


def test_reads_are_what_changes_nothing() -> None:
    model = model_of(Book)
    no = refused("AK2001", "out_of_range")
    assert model.is_read(asked("total"))
    assert model.is_read(asked("add", {"amount": 1}, **no))
    assert not model.is_read(asked("add", {"amount": 1}, key="k", **no))
    assert not model.is_read(asked("greet"))


def test_a_service_of_this_house_is_linearizable() -> None:
    """The engine behind a host, by several clients at once, keys used twice among them."""
    recorder = Recorder("books", clock=iter(range(100_000)).__next__, unit="step", started_ms=0)
    asyncio.run(_use(recorder))
    history = recorder.history()
    assert len(history.operations) == 6 * 12
    models = {"book": model_of(Book), "settings": model_of(Profile)}
    verdict = linearizability(history.operations, models)
    assert verdict.ok, verdict
    spoiled = [_more(o) if o.id == 40 else o for o in history.operations]
    assert linearizability(spoiled, models).outcome == "found"


async def _use(recorder: Recorder) -> None:
    async with TestService(Service("books", components=[Book, Profile])) as running:
        transport = recorder.wrap(HostTransport(running, VirtualClock()), "c")
        client = Client._over(transport)

        async def use(number: int) -> None:
            book = client.entity(Book, f"b{number % 2}")
            for turn in range(3):
                await _through(book.add(number).with_idempotency_key(f"k{turn}-{number // 4}"))
                await asyncio.gather(book.total(), book.add(turn))
                await client.entity(Profile, "p").paint(f"{number}-{turn}")

        await asyncio.gather(*(use(number) for number in range(6)))


async def _through(call: Call[int]) -> None:
    with contextlib.suppress(IdempotencyKeyReused):  # with another amount
        await call


def _more(operation: Operation) -> Operation:
    value = {"theme": "nobody's"} if operation.component == "settings" else 1_000_000
    return msgspec.structs.replace(operation, outcome="ok", value=value, error=None)
