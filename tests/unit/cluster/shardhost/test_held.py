"""Actors that have something done: commands are held, controls pass, what is due fires."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from actorkalix.runtime.virtual import settle
from actorkalix_cluster.shardhost.behavior import Around, Step, fires
from actorkalix_cluster.shardhost.fired import FIRED, Firing, Outcome, Settled
from actorkalix_cluster.shardhost.host import ShardHost
from actorkalix_cluster.shardhost.limits import HostLimits
from actorkalix_cluster.shardhost.messages import Encoding, Message, MessageKind, Reply
from actorkalix_cluster.shardhost.ticket import Ticket
from actorkalix_cluster.shardhost.watchdog import Watch
from actorkalix_storage.api import History, Record, RecordKind, Snapshot
from tests.unit.cluster.shardhost.rig import HeldCommitter, Rig, Watcher, new_store, number_of, run

WORKER = "worker"


class Work(msgspec.Struct, frozen=True):
    """An actor: whether it works, and what it has heard."""

    entity: str
    running: bool = False
    runs: int = 0
    heard: tuple[str, ...] = ()
    version: int = 0
    look_ms: int = 0


class WorkerBehavior:
    """Works when it is told to: `work`; holds commands until it is done; `stop` cuts it off."""

    fires = True

    def empty(self, entity: str) -> Work:
        return Work(entity)

    def restore(self, entity: str, history: History) -> Work:
        return msgspec.msgpack.decode(history.records[-1].record.payload, type=Work)

    def version(self, instance: Work) -> int:
        return instance.version

    def snapshot(self, instance: Work) -> Snapshot:
        raise AssertionError("none is due")

    def key_hash(self, message: Message) -> bytes:
        return message.key.encode().ljust(16, b".")

    def remembered(self, message: Message, reply: bytes) -> Reply:
        return Reply(reply, replayed=True)

    def step(self, instance: Work, message: Message, now_ms: int) -> Step[Work]:
        told = message.payload.decode(errors="replace")
        if message.kind is MessageKind.QUERY:
            return Step(instance, (), Reply(" ".join(instance.heard).encode()))
        if message.kind is MessageKind.EXPIRE:
            return self._given(instance, now_ms)
        if message.kind is MessageKind.COMMAND and instance.running:
            return Step(instance, (), Reply(), hold=True)
        if message.method == FIRED:
            return self._fired(instance, message, now_ms)
        if message.method == "work":
            look_ms = now_ms + 5_000 if told == "slowly" else 0
            return self._next(instance, now_ms, message, running=True, look_ms=look_ms)
        if message.method == "stop":
            return self._next(instance, now_ms, message, running=False)
        return self._next(instance, now_ms, message, running=instance.running, heard=told)

    def _given(self, instance: Work, now_ms: int) -> Step[Work]:
        if not instance.running:
            return Step(instance, (), Reply())
        if 0 < instance.look_ms <= now_ms:
            return self._next(instance, now_ms, None, running=False, heard="late")
        call = Message(MessageKind.STEP, WORKER, instance.entity, "run")
        firing = Firing(call, b"%d" % instance.runs, instance.look_ms)
        return Step(instance, (), Reply(msgspec.msgpack.encode(firing)))

    def _fired(self, instance: Work, message: Message, now_ms: int) -> Step[Work]:
        outcome = msgspec.msgpack.decode(message.payload, type=Outcome)
        if outcome.token != b"%d" % instance.runs or not instance.running:
            return Step(instance, (), Reply(msgspec.msgpack.encode(Settled(dropped=True))))
        heard = outcome.payload.decode() or "failed"
        again = heard == "again"
        step = self._next(instance, now_ms, message, running=again, heard=heard)
        return msgspec.structs.replace(step, reply=Reply(msgspec.msgpack.encode(Settled())))

    def _next(
        self,
        instance: Work,
        now_ms: int,
        message: Message | None,
        *,
        running: bool,
        heard: str = "",
        look_ms: int = 0,
    ) -> Step[Work]:
        begins = running and message is not None and message.method in ("work", FIRED)
        changed = Work(
            instance.entity,
            running,
            instance.runs + begins,
            (*instance.heard, heard) if heard else instance.heard,
            instance.version + 1,
            look_ms,
        )
        record = Record(
            *(RecordKind.STATE, WORKER, instance.entity, changed.version, now_ms),
            payload=msgspec.msgpack.encode(changed),
            key=b"" if message is None or not message.key else self.key_hash(message),
            reply=b"old",
            expires_ms=now_ms if running else 0,
        )
        halt = instance.running and not running
        return Step(changed, (record,), Reply(b"ok"), fire=running, halt=halt)


class Runner:
    """Answers what the actors give out, when it is told to."""

    def __init__(self) -> None:
        self.runs: list[asyncio.Future[bytes]] = []
        self.cancelled = 0
        self.most = 0

    async def ask(self, message: Message, /) -> Reply:
        assert message.kind is MessageKind.STEP
        answered: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self.runs.append(answered)
        self.most = max(self.most, sum(not each.done() for each in self.runs))
        try:
            return Reply(await answered)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise

    async def answer(self, *payloads: bytes) -> None:
        """The oldest runs end so."""
        for payload in payloads:
            next(each for each in self.runs if not each.done()).set_result(payload)
            await settle()


class Workers(Rig):
    """A host of workers."""

    runner: Runner

    def _open(self, store: Any) -> None:
        self.store = store
        self.committer = HeldCommitter(store)
        self.watcher = Watcher(int)
        self.watch = Watch(self.limits, self.blocked)
        self.runner = Runner()
        self.host = ShardHost(
            store,
            {WORKER: WorkerBehavior()},
            clock=self.clock,
            limits=self.limits,
            committer=self.committer,
            observer=self.watcher,
            on_fatal=self.fatal.append,
            watch=self.watch,
        )

    async def start(self) -> None:
        await super().start()
        self.host.connect(self.runner)
        await settle()

    def tell(self, method: str, payload: str = "", entity: str = "a", **more: Any) -> Ticket:
        """A command."""
        return self.message(MessageKind.COMMAND, method, payload, entity, **more)

    def message(
        self, kind: MessageKind, method: str, payload: str = "", entity: str = "a", **more: Any
    ) -> Ticket:
        """A message of any kind."""
        body = payload.encode()
        return self.host.send(Message(kind, WORKER, entity, method, body, Encoding.MSGPACK, **more))

    def heard(self, entity: str = "a") -> str:
        """What an actor has heard."""
        reply = self.message(MessageKind.QUERY, "", entity=entity).reply
        assert reply is not None
        return reply.payload.decode()


@asynccontextmanager
async def workers(**limits: Any) -> AsyncGenerator[Workers]:
    made = Workers(new_store(), HostLimits(**limits))
    await made.start()
    yield made
    await made.host.stop()
    assert made.host.idle


def test_commands_wait_in_order_and_queries_and_controls_do_not() -> None:  # WF-13
    async def case() -> None:
        async with workers() as r:
            await r.tell("work").wait()
            held = [r.tell("say", word) for word in ("one", "two")]
            await settle()
            assert [each.reply for each in held] == [None, None]
            assert r.heard() == ""
            await r.message(MessageKind.CONTROL, "say", "control").wait()
            await settle()
            assert [each.reply for each in held] == [None, None], "it still works"
            await r.runner.answer(b"done")
            assert all(each.reply is not None for each in held)
            assert r.heard() == "control done one two"

    run(case())


def test_what_is_due_fires_when_its_record_is_durable_and_not_before() -> None:
    async def case() -> None:
        async with workers() as r:
            r.committer.hold_commits = True
            ticket = r.tell("work")
            await settle()
            assert not r.runner.runs
            r.committer.hold_commits = False
            reads = r.committer.reads
            await r.committer.release()
            assert ticket.reply is not None
            assert len(r.runner.runs) == 1
            assert r.committer.reads == reads, "nobody had to look into the store"
            await r.runner.answer(b"again", b"again", b"done")
            assert r.heard() == "again again done"

    run(case())


def test_a_control_that_cuts_it_off_cancels_the_run() -> None:
    async def case() -> None:
        async with workers() as r:
            await r.tell("work").wait()
            await settle()
            await r.message(MessageKind.CONTROL, "stop").wait()
            await settle()
            assert r.runner.cancelled == 1
            await r.tell("work").wait()
            await settle()
            await r.runner.answer(b"done")
            assert r.heard() == "done"

    run(case())


def test_it_is_looked_at_while_it_runs() -> None:
    async def case() -> None:
        async with workers() as r:
            await r.tell("work", "slowly").wait()
            await settle()
            await r.clock.advance(4_999)
            assert r.heard() == ""
            await r.clock.advance(1)
            assert (r.heard(), r.runner.cancelled) == ("late", 1)

    run(case())


def test_after_a_crash_it_runs_again() -> None:
    async def case() -> None:
        async with workers() as r:
            await r.tell("work").wait()
            await settle()
            await r.crash()
            await r.clock.advance(10)
            assert len(r.runner.runs) == 1
            await r.runner.answer(b"done")
            await r.tell("say", "hello").wait()
            assert r.heard() == "done hello"

    run(case())


def test_so_many_at_once_and_nobody_is_forgotten() -> None:
    async def case() -> None:
        async with workers(steps_max=2) as r:
            names = [f"w{number}" for number in range(30)]
            for name in names:
                await r.tell("work", entity=name).wait()
            await settle()
            for _ in names:
                await r.runner.answer(b"done")
                await r.clock.advance(20)
            assert r.runner.most == 2
            for name in names:
                await r.tell("say", "x", name).wait()
            assert {r.heard(name) for name in names} == {"done x"}

    run(case())


def test_whoever_goes_on_and_on_waits_behind_others() -> None:
    async def case() -> None:
        async with workers(steps_max=1) as r:
            await r.tell("work", entity="long").wait()
            await r.tell("work", entity="short").wait()
            await settle()
            await r.runner.answer(b"again")
            await r.runner.answer(b"done")
            assert (r.heard("long"), r.heard("short")) == ("again", "done")
            await r.runner.answer(b"done")

    run(case())


def test_a_held_command_may_be_taken_back_and_knows_its_key() -> None:
    async def case() -> None:
        async with workers(mailbox_max=2) as r:
            await r.tell("work", key="k").wait()
            again = r.tell("work", key="k")
            await settle()
            assert again.reply is not None
            assert again.reply.replayed, "what was done is known, whoever runs"
            held = [r.tell("say", "x"), r.tell("say", "y", key="j")]
            await settle()
            assert number_of(r.tell("say", "z").reply) == "AK3001"
            assert held[0].drop()
            waits = r.tell("say", "w")
            assert waits.reply is None, "its place is free"
            await r.runner.answer(b"done")
            assert sorted(r.heard().split()) == ["done", "w", "y"]

    run(case())


def test_a_held_command_was_not_executed_when_its_host_ends() -> None:
    async def case() -> None:
        async with workers() as r:
            await r.tell("work").wait()
            held = r.tell("say", "x")
            await settle()
            await r.host.stop()
            assert held.reply is not None
            assert held.reply.failure is not None
            assert held.reply.failure.outcome == "not_executed"

    run(case())


def test_who_fires_says_so_through_others() -> None:
    behavior = WorkerBehavior()
    assert fires(behavior)
    assert fires(Around(behavior))
