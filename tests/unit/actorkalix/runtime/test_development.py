"""Handlers that wait, or change a state in place, are found out; nothing else changes."""

from __future__ import annotations

import asyncio
import logging
import socket
import sys
import threading
import time
from types import ModuleType

import pytest

from actorkalix import Effect, Service, ValueEntity, command
from actorkalix.errors import HandlerWaits, InvalidEffect
from actorkalix.runtime.composition import build_host
from actorkalix.runtime.development import (
    DevelopmentBehavior,
    StateChangedInPlace,
    development,
    forbid_waiting,
)
from actorkalix.runtime.virtual import VirtualClock
from actorkalix_cluster.shardhost.behavior import BehaviorError
from actorkalix_cluster.shardhost.committer import InlineCommitter
from actorkalix_cluster.shardhost.host import ShardHost
from actorkalix_cluster.shardhost.messages import Message, MessageKind, Reply
from actorkalix_storage.api import StoreIdentity
from actorkalix_storage.memorystore import MemoryStore
from tests.unit.actorkalix.engine.ledger import Book, Profile, Settings
from tests.unit.actorkalix.engine.player import Player
from tests.unit.actorkalix.runtime.impatient import Impatient


class Jar(ValueEntity[Settings], id="jar"):
    def empty_state(self) -> Settings:
        return Settings()

    @command
    def spill(self) -> Effect[int]:
        self.state.tags.append("x")
        raise InvalidEffect("a fault that leaves the instance in memory")


def watched(cls: type, entity: str = "e1", found: list[Exception] | None = None) -> Player:
    """An entity whose behavior is watched."""
    player = Player(cls, entity)
    tell = None if found is None else found.append
    player.behavior = development(player.behavior, tell)
    return player


WAYS = {
    "sleep": "called time.sleep",
    "socket": "made a socket",
    "connect": "looked up a host name",
    "name": "looked up a host name",
    "process": "started a process",
    "shell": "started a process",
}


@pytest.mark.parametrize("how", WAYS)
def test_a_handler_that_waits_is_named_with_what_it_called(how: str) -> None:
    found: list[Exception] = []
    player = watched(Impatient, found=found)
    with pytest.raises(HandlerWaits) as caught:
        player.ok("wait", how=how)
    assert str(caught.value).startswith(f"impatient 'e1'.wait {WAYS[how]}: a handler that waits ")
    assert "do it in an action" in str(caught.value)
    assert found == [caught.value]


def test_a_connection_is_seen_although_its_socket_was_made_before() -> None:
    with socket.socket() as made_before:
        player = watched(Impatient)
        behavior = player.behavior
        assert isinstance(behavior, DevelopmentBehavior)
        with (
            pytest.raises(HandlerWaits, match="connected a socket"),
            behavior._no_waiting("a handler"),
        ):
            made_before.connect(("127.0.0.1", 9))


def test_a_handler_that_swallows_it_has_waited_all_the_same() -> None:
    player = watched(Impatient)
    with pytest.raises(HandlerWaits, match=r"'e1'\.swallow called time\.sleep"):
        player.ok("swallow")
    assert player.ok("wait", how="not") == 1  # and the next one has not


def test_queries_and_hooks_are_handlers() -> None:
    player = watched(Impatient)
    with pytest.raises(HandlerWaits, match=r"'e1'\.ask called"):
        player.query("ask")
    with pytest.raises(HandlerWaits, match=r"'e1'\.wait_when_applied called"):
        player.ok("wait_when_applied", how="sleep")
    with pytest.raises(HandlerWaits, match="the empty state of 'waits at its begin' called"):
        player.behavior.empty("waits at its begin")


def test_a_load_that_waits_is_named() -> None:
    player = Player(Impatient)
    player.ok("wait_when_applied", how="sleep")  # nobody looked when that was stored
    with pytest.raises(HandlerWaits, match="the load of 'e1' called"):
        development(player.behavior).restore("e1", player.history())


def test_outside_of_handlers_nothing_changes() -> None:
    forbid_waiting()
    forbid_waiting()
    time.sleep(0)
    socket.socket().close()
    Player(Impatient).ok("wait", how="sleep")  # a behavior that is not watched
    player = watched(Impatient)
    with pytest.raises(HandlerWaits):
        player.ok("wait", how="sleep")
    time.sleep(0)


def test_other_threads_are_not_meant() -> None:
    woke: list[bool] = []

    def elsewhere() -> None:
        time.sleep(0)
        socket.socket().close()
        woke.append(True)

    behavior = development(Player(Impatient).behavior)
    assert isinstance(behavior, DevelopmentBehavior)
    with behavior._no_waiting("a handler of another thread"):
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
    assert woke == [True]


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="time.sleep tells of itself")
def test_a_sleep_that_was_imported_by_name_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("careless")
    vars(module)["nap"] = time.sleep
    monkeypatch.setitem(sys.modules, "careless", module)
    behavior = development(Player(Impatient).behavior)
    assert isinstance(behavior, DevelopmentBehavior)
    with pytest.raises(HandlerWaits, match=r"time\.sleep"), behavior._no_waiting("a handler"):
        module.nap(0)
    module.nap(0)


def test_the_hook_is_installed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def again(hook: object) -> None:
        pytest.fail("a second hook")

    forbid_waiting()
    monkeypatch.setattr(sys, "addaudithook", again)
    development(Player(Impatient).behavior)


def test_the_handler_that_changes_a_state_in_place_is_named() -> None:
    found: list[Exception] = []
    player = watched(Profile, found=found)
    player.ok("paint", theme="dark")
    with pytest.raises(StateChangedInPlace, match=r"settings 'e1'\.smuggle changed the state"):
        player.ok("smuggle", tag="x")
    assert len(found) == 1


def test_also_when_it_was_refused_afterwards() -> None:
    player = watched(Jar)
    with pytest.raises(StateChangedInPlace, match=r"jar 'e1'\.spill changed the state"):
        player.ok("spill")


def test_refusals_are_as_they_were() -> None:
    with pytest.raises(BehaviorError) as refused:
        watched(Book).ok("unfinished")
    failure = refused.value.reply.failure
    assert failure is not None
    assert failure.number == InvalidEffect.number


def test_everything_else_is_as_it_was() -> None:
    player = Player(Profile)
    plain, watching = player.behavior, development(player.behavior)
    message = player.message(MessageKind.COMMAND, "paint", body=b'{"theme": "dark"}', key="k")
    instance = watching.empty("e1")
    step = watching.step(instance, message, 1)
    assert step == plain.step(instance, message, 1)
    assert watching.version(step.instance) == 1
    assert watching.key_hash(message) == plain.key_hash(message)
    assert watching.snapshot(step.instance) == plain.snapshot(step.instance)
    kept = step.records[-1].reply
    assert watching.remembered(message, kept) == plain.remembered(message, kept)
    player.step(message)
    assert watching.restore("e1", player.history()) == plain.restore("e1", player.history())


@pytest.mark.parametrize(
    "component, method, body, said",
    [
        ("impatient", "wait", b'{"how": "sleep"}', "impatient 'e1'.wait called time.sleep"),
        ("settings", "smuggle", b'{"tag": "x"}', "settings 'e1'.smuggle changed the state"),
    ],
)
def test_es_82_a_host_answers_as_for_a_failed_handler_and_logs_the_text(
    component: str, method: str, body: bytes, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def case() -> Reply:
        service = Service("s", components=[Impatient, Profile]).descriptor
        store = MemoryStore(StoreIdentity("0" * 32, "s", 0, 16, 1))
        host: ShardHost = build_host(
            service,
            store,
            clock=VirtualClock(),
            committer=InlineCommitter(store),
            wrap=development,
        )
        await host.start()
        message = Message(
            MessageKind.COMMAND, component, "e1", method, body, correlation_id="cid-9"
        )
        reply = await host.ask(message)
        assert host.stats().live == {}  # it is rebuilt with the next message
        await host.stop()
        return reply

    with caplog.at_level(logging.ERROR, "actorkalix.entity"):
        failure = asyncio.run(case()).failure
    assert failure is not None
    assert (failure.number, failure.message) == ("AK2010", "unexpected error [cid-9]")
    assert said in caplog.text
    assert "cid-9" in caplog.text
