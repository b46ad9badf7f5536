"""The recorder of histories."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from actorkalix import Client, CommandError, Ref
from actorkalix.errors import ActorkalixError, HistoryUnreadable, OutcomeUnknown, Overloaded
from actorkalix.gateway.tokens import Mark, token_of
from actorkalix.model.transport import Reply, Request
from actorkalix.testkit.history import Operation, read_history
from actorkalix.testkit.recorder import Recorder
from actorkalix_storage.api import Position
from tests.unit.actorkalix.engine.ledger import Book, Profile, Settings, TooMuch


def recorder() -> Recorder:
    return Recorder("books", clock=iter(range(1_000)).__next__, unit="step", started_ms=0)


class Scripted:
    """A transport whose answers are known: values, errors, or a future to wait for."""

    def __init__(self, *answers: Any) -> None:
        self._answers = list(answers)
        self.is_closed = False

    async def send(self, request: Request, /) -> Reply[Any]:
        answer: Any = self._answers.pop(0)
        if hasattr(answer, "__await__"):
            return Reply(await answer)
        if isinstance(answer, Exception):
            raise answer
        return answer if hasattr(answer, "token") else Reply(answer)

    async def aclose(self) -> None:
        self.is_closed = True


def test_an_operation_is_unknown_until_it_is_answered() -> None:
    made = recorder()
    first = made.invoke("c", "book", "b", "command", "add", {"amount": 1})
    (pending,) = made.history().operations
    assert (pending.outcome, pending.invoked, pending.returned) == ("unknown", 0, None)
    made.reply(first, 1, position=Mark(1, 2, 3, 4), token="t")
    (done,) = made.history().operations
    assert (done.outcome, done.value, done.returned) == ("ok", 1, 1)
    assert (done.position, done.token) == (Mark(1, 2, 3, 4), "t")


@pytest.mark.parametrize(
    "error, outcome",
    [
        (CommandError("no", code="aborted"), "error"),
        (TooMuch(3), "error"),
        (Overloaded("full"), "not_executed"),
        (OutcomeUnknown("late"), "unknown"),
        (ActorkalixError("?"), "not_executed"),
    ],
)
def test_errors_are_what_they_say_of_the_outcome(error: ActorkalixError, outcome: str) -> None:
    made = recorder()
    made.fail(made.invoke("c", "book", "b", "command", "add"), error)
    (operation,) = made.history().operations
    assert (operation.outcome, operation.returned) == (outcome, 1)
    assert (operation.error is None) == (outcome != "error")


def test_a_domain_error_is_kept_whole() -> None:
    made = recorder()
    made.fail(made.invoke("c", "book", "b", "command", "add"), TooMuch(3))
    error = made.history().operations[0].error
    assert error is not None
    assert (error.code, error.number, error.message, error.details) == (
        "out_of_range",
        "AK2001",
        "3 too much",
        {"above": 3},
    )


def test_a_client_is_recorded() -> None:
    token = token_of(7, Position(1, 2, 3)).decode()
    transport = Scripted(Reply(5, token), Settings("dark"), TooMuch(1), 9)
    operations = asyncio.run(_use(transport))
    assert [(o.client, o.component, o.entity, o.kind, o.method) for o in operations] == [
        ("me", "book", "b", "command", "add"),
        ("me", "settings", "p", "command", "paint"),
        ("me", "book", "b", "command", "add"),
        ("me", "book", "b", "query", "total"),
    ]
    assert [o.outcome for o in operations] == ["ok", "ok", "error", "ok"]
    assert [o.arguments for o in operations] == [
        {"amount": 5},
        {"theme": "dark"},
        {"amount": 1001},
        None,
    ]
    assert operations[1].value == {"theme": "dark", "tags": []}
    assert (operations[0].position, operations[0].key) == (Mark(7, 1, 2, 3), "k")
    assert (operations[1].position, operations[1].metadata) == (None, (("a", "b"),))
    assert transport.is_closed


async def _use(transport: Scripted) -> tuple[Operation, ...]:
    made = recorder()
    async with Client._over(made.wrap(transport, "me")) as client:
        book = client.entity(Book, "b")
        assert await book.add(5).with_idempotency_key("k") == 5
        await client.entity(Profile, "p").paint("dark").with_metadata({"a": "b"})
        with pytest.raises(TooMuch):
            await book.add(1001)
        await book.total()
    return made.history().operations


def test_what_asks_at_once_is_several_clients() -> None:
    assert asyncio.run(_at_once()) == [
        ("me", "ok"),
        ("me/2", "ok"),
        ("me/3", "unknown"),
        ("me/2", "ok"),
    ]


async def _at_once() -> list[tuple[str, str]]:
    made = recorder()
    loop = asyncio.get_running_loop()
    first, second, third = (loop.create_future() for _ in range(3))
    book = Client._over(made.wrap(Scripted(first, second, third, 4), "me")).entity(Book, "b")
    calls = [asyncio.create_task(_total(book)) for _ in range(3)]
    for _ in range(5):
        await asyncio.sleep(0)
    second.set_result(2)
    await calls[1]
    calls[2].cancel()
    await asyncio.gather(calls[2], return_exceptions=True)
    await book.total()
    first.set_result(1)
    await calls[0]
    return [(operation.client, operation.outcome) for operation in made.history().operations]


async def _total(book: Ref[Book]) -> int:
    return await book.total()


def test_a_history_is_saved(tmp_path: Path) -> None:
    made = Recorder("books")
    with pytest.raises(HistoryUnreadable, match="has no operations"):
        made.save(tmp_path / "h.jsonl")
    made.reply(made.invoke("c", "book", "b", "query", "total"), 0)
    made.save(tmp_path / "h.jsonl")
    read = read_history(tmp_path / "h.jsonl")
    assert read == made.history()
    assert (read.header.clock, read.header.started_ms > 0) == ("ns", True)


def test_a_client_of_a_url_is_a_client() -> None:
    made = Recorder("books")
    with made.client("http://127.0.0.1:9", "me") as client, pytest.raises(ActorkalixError):
        client.entity(Book, "b").total().result()
    (operation,) = made.history().operations
    assert (operation.client, operation.outcome) == ("me", "not_executed")
