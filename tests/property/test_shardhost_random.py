"""A shard host under random commands, faults and crashes: what it acknowledges is what is stored.

The model is a plain list of what was attempted. After every run: acknowledged is stored, stored was
attempted, and each was stored once; numbers have no gaps; totals are the plain sum; a key was
executed once; nobody has seen what was not to be. And whenever an answer leaves: all that it has
seen is stored at that moment, not only in the end.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from actorkalix.runtime.virtual import settle
from actorkalix_cluster.placement import shard_of
from actorkalix_cluster.shardhost.messages import MessageKind
from actorkalix_cluster.shardhost.ticket import Ticket
from actorkalix_storage.api import RecordKind, StoredRecord, StoreFull
from tests.unit.cluster.shardhost.counter import COUNTER
from tests.unit.cluster.shardhost.rig import SHARDS, Rig, rig, run

ENTITIES: tuple[str, ...] = ("a", "b", "c")
entities = st.sampled_from(ENTITIES)

steps = st.one_of(
    st.tuples(st.just("add"), entities, st.integers(1, 4)),
    st.tuples(st.just("keyed"), entities, st.integers(1, 6)),
    st.tuples(st.sampled_from(["tell", "query", "refuse", "explode", "drop"]), entities),
    st.tuples(
        st.sampled_from(
            [
                "settle",
                "hold",
                "hold",
                "let",
                "let",
                "release",
                "hold_reads",
                "full",
                "crash",
                "idle",
            ]
        )
    ),
)


@dataclass
class Run:
    """One run and what was attempted in it."""

    rig: Rig
    attempts: dict[str, dict[int, Ticket]] = field(default_factory=dict[str, dict[int, Ticket]])
    keyed: list[tuple[str, int, Ticket]] = field(default_factory=list[tuple[str, int, Ticket]])
    reads: list[tuple[str, int, Ticket]] = field(default_factory=list[tuple[str, int, Ticket]])
    dropped: set[int] = field(default_factory=set[int])
    early: list[str] = field(default_factory=list[str])
    waiting: list[tuple[str, Ticket]] = field(default_factory=list[tuple[str, Ticket]])
    next_bit: int = 0

    def __post_init__(self) -> None:
        self.rig.on_answer = self.look

    async def do(self, step: tuple[object, ...]) -> None:
        """Do one step."""
        match step:
            case ("add", str(entity), int(count)):
                amounts = [self._amount() for _ in range(count)]
                ticket = self._send("add_each", " ".join(map(str, amounts)), entity)
                self.attempts.setdefault(entity, {}).update((a, ticket) for a in amounts)
            case ("keyed", str(entity), int(key)):
                ticket = self._send("add", 0, entity, key=f"k{key}")
                self.keyed.append((entity, key, ticket))
            case ("tell" | "query" as method, str(entity)):
                kind = MessageKind.QUERY if method == "query" else MessageKind.COMMAND
                acknowledged = sum(self.acknowledged(entity))
                ticket = self._send("tell", "", entity, kind=kind)
                self.reads.append((entity, acknowledged, ticket))
            case ("drop", str(entity)):
                for amount, ticket in self.attempts.get(entity, {}).items():
                    if ticket.drop():
                        self.dropped.add(amount)
            case (str(method), str(entity)):
                self.rig.send(method, "", entity)
            case _:
                await self._surroundings(str(step[0]))

    async def _surroundings(self, what: str) -> None:
        committer = self.rig.committer
        match what:
            case "hold":
                committer.hold_commits = True
            case "hold_reads":
                committer.hold_reads = True
            case "release":
                committer.hold_commits = committer.hold_reads = False
                await committer.release()
            case "let":  # what is held now; what comes next is held again, and none may see it
                await committer.release()
                for entity in ENTITIES:
                    await self.do(("query", entity))
            case "full":
                self.rig.store.fail_next_commit(StoreFull("no space"))
            case "crash":
                await self.rig.crash()
            case "idle":
                await self.rig.clock.advance(60_000)
            case _:
                await settle()

    def _send(self, method: str, payload: object, entity: str, **more: Any) -> Ticket:
        ticket = self.rig.send(method, payload, entity, **more)
        self.waiting.append((entity, ticket))
        self.look()  # it may have its answer already
        return ticket

    def look(self) -> None:
        """An answer leaves: what it has seen must be stored by now."""
        answered = [(entity, ticket) for entity, ticket in self.waiting if ticket.reply is not None]
        self.waiting = [each for each in self.waiting if each not in answered]
        for entity, ticket in answered:
            reply = ticket.reply
            if reply is not None and reply.failure is None:
                early = int(reply.payload) & ~sum(stored_amounts(self.rig, entity))
                if early:  # noted: what is raised here, the host would take for its own bug
                    self.early.append(f"{entity} {ticket.message.method} has seen {early:b}")

    def acknowledged(self, entity: str) -> set[int]:
        """Amounts whose success was told."""
        return {
            amount
            for amount, ticket in self.attempts.get(entity, {}).items()
            if ticket.reply is not None and ticket.reply.failure is None
        }

    def refused(self, entity: str) -> set[int]:
        """Amounts of which was told that they were not executed."""
        return self.dropped | {
            amount
            for amount, ticket in self.attempts.get(entity, {}).items()
            if ticket.reply is not None
            and ticket.reply.failure is not None
            and ticket.reply.failure.outcome == "not_executed"
        }

    def _amount(self) -> int:
        self.next_bit += 1
        return 1 << self.next_bit


def stored(rig: Rig, entity: str) -> list[StoredRecord]:
    """All records of an entity."""
    shard = shard_of(COUNTER, entity, SHARDS)
    return list(rig.store.history(shard, COUNTER, entity, limit=10_000))


def stored_amounts(rig: Rig, entity: str) -> list[int]:
    """What was added to an entity, but for zeros."""
    records = [each.record for each in stored(rig, entity)]
    return [int(r.payload) for r in records if r.kind is RecordKind.EVENT and r.payload != b"0"]


async def check(run: Run) -> None:
    """Compare with what is stored."""
    assert run.early == []
    for entity in ENTITIES:
        history = stored(run.rig, entity)
        events = [s.record for s in history if s.record.kind is RecordKind.EVENT]
        assert [record.number for record in events] == list(range(1, len(events) + 1))
        assert [s.version for s in history] == list(range(1, len(history) + 1))
        amounts = stored_amounts(run.rig, entity)
        assert len(amounts) == len(set(amounts)), "stored once"
        assert run.acknowledged(entity) <= set(amounts) <= set(run.attempts.get(entity, {}))
        assert not run.refused(entity) & set(amounts)
        assert await run.rig.query(entity) == sum(amounts)
        keys = [record.key for record in events if record.key]
        assert len(keys) == len(set(keys)), "a key is executed once"
        told = {k for e, k, t in run.keyed if e == entity and t.reply and not t.reply.failure}
        assert len(told) <= len(keys)
        for seen, floor, ticket in run.reads:
            if seen == entity and ticket.reply is not None and ticket.reply.failure is None:
                total = int(ticket.reply.payload)
                assert total & ~sum(amounts) == 0, "nothing was seen that was not to be"
                assert floor & ~total == 0, "what was acknowledged before is seen"


@settings(max_examples=150, deadline=None)
@given(st.lists(steps, min_size=20, max_size=100), st.integers(1, 5))
def test_acknowledged_is_stored_and_stored_was_attempted(
    script: list[tuple[object, ...]], speculation_max: int
) -> None:
    async def case() -> None:
        async with rig(speculation_max=speculation_max, mailbox_max=8, commit_queue_max=12) as r:
            done = Run(r)
            for step in script:
                await done.do(step)
            await done.do(("release",))
            await done.do(("release",))
            await check(done)
            await r.crash()
            await check(done)

    run(case())


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(entities, st.integers(1, 9)), min_size=1, max_size=40))
def test_replies_are_those_of_a_plain_fold(commands: list[tuple[str, int]]) -> None:
    async def case() -> None:
        totals = dict.fromkeys(ENTITIES, 0)
        async with rig() as r:
            tickets = [r.send("add", amount, entity) for entity, amount in commands]
            for (entity, amount), ticket in zip(commands, tickets, strict=True):
                totals[entity] += amount
                reply = await ticket.wait()
                assert int(reply.payload) == totals[entity]

    run(case())
