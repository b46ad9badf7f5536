"""What happens inside of hosts that no client has asked for: who is handed what, who calls whom.

Theory of operation. Around each subscriber of a host stands `Attended`, which notes every delivery
and fails some of them; around the host's way to entities stands `Noted`, which makes an operation
of the history of each call that a handler, the outbox or a timer makes. A call knows the delivery
that it comes from by its context, for handlers run in the task of the delivery. So what clients see
of entities that others change is judged by the same rules as if clients alone had asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextvars import ContextVar
from functools import partial
from typing import Any

import msgspec

from actorkalix.describe.descriptors import ServiceDescriptor
from actorkalix.errors import OutcomeUnknown
from actorkalix.failures import error_of
from actorkalix.gateway.prompt import Asking
from actorkalix.gateway.tokens import Mark
from actorkalix.runtime.subscriptions import subscribers_of
from actorkalix.runtime.virtual import START_MS
from actorkalix.testkit.checking import Caused, Delivery, Execution, Place, Wanted
from actorkalix.testkit.recorder import Recorder
from actorkalix_cluster.shardhost.asked import Asked
from actorkalix_cluster.shardhost.fired import TIMER
from actorkalix_cluster.shardhost.messages import Encoding, Message, MessageKind, Reply
from actorkalix_cluster.shardhost.outgoing import unpack_messages
from actorkalix_cluster.shardhost.progress import Entry
from actorkalix_cluster.shardhost.subscriber import AroundSubscriber, Subscriber
from actorkalix_cluster.shardhost.ticket import Tell
from actorkalix_storage.api import Record, RecordKind, StoredRecord, StoreError

from .chance import Chance
from .disk import Disk
from .faults import Conditions
from .loop import SimulationLoop
from .processes import Process
from .trace import Trace

OPERATION = "op-"
"""Correlation ids of a run's operations begin with it; a number follows."""

FIRING = "timer-"
"""Correlation ids of what timers ask begin with it."""

DELIVERY: ContextVar[int] = ContextVar("delivery")
"""Number of the delivery that a handler runs for."""

EXECUTION: ContextVar[int] = ContextVar("execution")
"""Number of the execution of a step that runs."""


class DeliveryFails(Exception):
    """A consumer fails, as handlers and what they ask do now and then."""


class Inside:
    """All deliveries and calls of a run.

    Args:
        service: its name.
        loop: has the time.
        trace: of the run.
        conditions: how often deliveries fail.

    Attributes:
        recorder: of the run's history.
        deliveries: in the order in which they began.
        caused: calls that handlers of deliveries made.
        timers: there have been named timers.
        executions: of steps, in the order in which they began.
    """

    def __init__(
        self, service: str, loop: SimulationLoop, trace: Trace, conditions: Conditions
    ) -> None:
        self._loop = loop
        self._last_ns = 0
        self.trace = trace
        self.conditions = conditions
        self.recorder = Recorder(service, clock=self.now_ns, started_ms=START_MS)
        self.deliveries: list[Delivery] = []
        self.caused: list[Caused] = []
        self.timers = False
        self.executions: list[Execution] = []
        self._keys: dict[tuple[int, str, str, str], list[str]] = {}

    def now_ns(self) -> int:
        """Virtual time; two things that happen at once have different times nevertheless."""
        self._last_ns = max(self._last_ns + 1, self._loop.now_us * 1000)
        return self._last_ns

    # ---- deliveries -----------------------------------------------------------------------------
    def begins(
        self, consumer: str, process: Process, entries: Sequence[Entry], durable: bool
    ) -> int:
        """A consumer is handed entries; gives the number of the delivery."""
        number = len(self.deliveries)
        places = tuple(
            Place(e.shard, e.position.lineage, e.position.epoch, e.position.offset) for e in entries
        )
        self.deliveries.append(
            Delivery(
                consumer=consumer,
                writer=process.name,
                places=places,
                durable=durable,
                began=self.now_ns(),
            )
        )
        first = entries[0].record
        what = f"{first.component} {first.entity} record {entries[0].version}"
        more = f" and {len(entries) - 1} more" if len(entries) > 1 else ""
        self.trace(f"{process.name}: {consumer} is handed {what}{more} [{number}]")
        return number

    def ends(self, number: int, failure: str) -> None:
        """It has been handled, or not."""
        delivery = self.deliveries[number]
        self.trace(f"{delivery.writer}: {delivery.consumer} [{number}] {failure or 'handled'}")
        self.deliveries[number] = msgspec.structs.replace(
            delivery,
            ended=self.now_ns(),
            outcome="failed" if failure else "handled",
            failure=failure,
        )

    # ---- calls ----------------------------------------------------------------------------------
    def asks(self, message: Message, process: Process) -> int:
        """Something in a process asks an entity; gives the id of the operation."""
        recorder = self.recorder
        asked = recorder.invoke(
            f"{process.name}/{recorder.newest + 1}",  # each has one operation at a time
            message.component,
            message.entity,
            "query" if message.kind is MessageKind.QUERY else "command",
            message.method,
            _json_of(message.payload, message.encoding),
            key=message.key,
            metadata=message.metadata,
        )
        delivery = DELIVERY.get(None)
        # A timer's firing has the context of whoever started it, which says nothing of the call.
        is_timer = message.correlation_id.startswith(FIRING)
        if delivery is not None and message.kind is MessageKind.COMMAND and not is_timer:
            self._cause(asked, delivery, message)
        target = f"{message.component} {message.entity}: {message.method}"
        self.trace(f"{process.name}: [{OPERATION}{asked}] {target} [{message.correlation_id}]")
        return asked

    def _cause(self, asked: int, delivery: int, message: Message) -> None:
        """Calls of one delivery that ask the same are told apart by the order of their keys."""
        target = (delivery, message.component, message.entity, message.method)
        keys = self._keys.setdefault(target, [])
        if message.key not in keys:
            keys.append(message.key)
        self.caused.append(Caused(asked, delivery, keys.index(message.key)))

    def answered(self, asked: int, reply: Reply, message: Message, by: Process) -> None:
        """It was answered.

        What a host was told whose store another one has by now, it may have told itself, and its
        news may be old; no cursor moves by that, and nobody else hears of it.
        """
        failure = reply.failure
        said = "answered" if failure is None else f"{failure.number} {failure.outcome}"
        self.trace(f"[{OPERATION}{asked}] {said}")
        if by.former and failure is None:
            self.recorder.fail(asked, OutcomeUnknown("its store is another host's"))
        else:
            note_reply(self.recorder, asked, reply, message.accept)


class Attended(AroundSubscriber):
    """A subscriber whose deliveries are noted, and some of which fail.

    Args:
        subscriber: the other one.
        inside: of the run.
        process: whose consumer it is.
        disk: that its entries are on.
        chance: says which fail.
    """

    def __init__(
        self, subscriber: Subscriber, inside: Inside, process: Process, disk: Disk, chance: Chance
    ) -> None:
        super().__init__(subscriber)
        self._inside = inside
        self._process = process
        self._disk = disk
        self._chance = chance

    async def handle(self, entries: Sequence[Entry], /) -> None:
        durable = all(self._stands(entry) for entry in entries)
        inside, rate = self._inside, self._inside.conditions.rates.delivery_fails
        number = inside.begins(self.consumer, self._process, entries, durable)
        DELIVERY.set(number)
        fails = self._chance.happens(rate)
        at_once = fails and self._chance.happens(0.5)
        try:
            if not at_once:
                await self._subscriber.handle(entries)
            if fails:
                raise DeliveryFails("as it was drawn")
        except Exception as error:
            inside.ends(number, f"{type(error).__name__}: {error}")
            raise
        inside.ends(number, "")

    def _stands(self, entry: Entry) -> bool:
        """Whether it is on disk."""
        try:
            found = self._disk.store.records(entry.shard, entry.position.offset - 1, limit=1)
        except StoreError:  # it has just failed, which is told elsewhere
            return True
        return bool(found) and found[0].position == entry.position


class Noted:
    """A host's `Asking` whose calls are operations of the history.

    Args:
        asking: the other one.
        inside: of the run.
        process: whose calls they are.
        service: what is not a component of it is left out of the history.

    Attributes:
        outside: message of a client that comes next, and is an operation already.
    """

    def __init__(
        self, asking: Asking, inside: Inside, process: Process, service: ServiceDescriptor
    ) -> None:
        self._asking = asking
        self._inside = inside
        self._process = process
        self._components = service.components
        self.outside: Message | None = None

    async def ask(self, message: Message, /) -> Reply:
        if message.component not in self._components:
            self._inside.timers = self._inside.timers or message.component == TIMER
            return await self._asking.ask(message)
        asked = self._inside.asks(message, self._process)
        reply = await self._asking.ask(_as_operation(message, asked))
        self._inside.answered(asked, reply, message, self._process)
        return reply

    def begin(self, message: Message, tell: Tell, /) -> Reply | Asked:
        outside, self.outside = self.outside, None
        if message is outside or message.component not in self._components:
            return self._asking.begin(message, tell)
        asked = self._inside.asks(message, self._process)
        answer = self._asking.begin(
            _as_operation(message, asked), partial(self._told, asked, message, tell)
        )
        if isinstance(answer, Reply):
            self._inside.answered(asked, answer, message, self._process)
        return answer

    def _told(self, asked: int, message: Message, tell: Tell, reply: Reply) -> None:
        self._inside.answered(asked, reply, message, self._process)
        tell(reply)

    def drop(self, asked: Asked, /) -> None:
        self._asking.drop(asked)


def note_reply(recorder: Recorder, asked: int, reply: Reply, accept: Encoding) -> None:
    """Note the answer to an operation, which came in this encoding."""
    if reply.failure is not None:
        recorder.fail(asked, error_of(reply.failure))
        return
    if reply.forward is not None:  # another one has the answer
        recorder.fail(asked, OutcomeUnknown("it was forwarded"))
        return
    position = reply.position
    mark = None
    if position is not None:
        mark = Mark(reply.shard, position.lineage, position.epoch, position.offset)
    recorder.reply(asked, _json_of(reply.payload, accept), position=mark)


def actions_of(service: ServiceDescriptor) -> Iterator[str]:
    """Ids of the actions of a service."""
    for component_id, component in service.components.items():
        if component.kind == "action":
            yield component_id


def wanted_of(service: ServiceDescriptor, records: Iterable[StoredRecord]) -> Iterator[Wanted]:
    """Which consumer of a service wants which of these records."""
    actions = frozenset(actions_of(service))
    found = subscribers_of(service, _Nobody())
    subscribers = [each for each in found if not (each.from_now or each.dead_letters)]
    for stored in records:
        position = stored.position
        for each in subscribers:
            if each.wants(stored.record):
                place = Place(stored.shard, position.lineage, position.epoch, position.offset)
                yield Wanted(each.consumer, place, _messages(stored.record, actions))


def _messages(record: Record, actions: frozenset[str]) -> int:
    """How many commands for entities a record has, told apart by the keys that they are given."""
    if record.kind is not RecordKind.OUTBOX:
        return 0
    commands = [
        message.key
        for message in unpack_messages(record.payload)
        if message.kind is MessageKind.COMMAND and message.component not in actions
    ]
    keys = [key for key in commands if key]
    return len(commands) - len(keys) + len(set(keys))


class _Nobody:
    """In place of a way out, for subscribers that are only asked what they want."""

    async def ask(self, message: Message, /) -> Reply:
        raise AssertionError("nothing is handled")


def _as_operation(message: Message, asked: int) -> Message:
    return msgspec.structs.replace(message, correlation_id=f"{OPERATION}{asked}")


def _json_of(payload: bytes, encoding: Encoding) -> Any:
    """A value as JSON has it; None for no body."""
    if not payload:
        return None
    if encoding is Encoding.JSON:
        return msgspec.json.decode(payload)
    return msgspec.json.decode(msgspec.json.encode(msgspec.msgpack.decode(payload)))
