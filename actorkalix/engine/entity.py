"""What event sourced and value entities have in common: running a handler and keeping its reply.

Theory of operation. A message meets the table of `instance.py`, which says what it may do in this
part of the entity's life. A handler runs on a fresh object of the user's class, so that nothing but
the state can outlive it (ES-06). What it returns is a decision; the kinds below turn the decision
into records and the next instance. Every value that crosses is encoded here, on every host and in
every kit alike (ES-05): arguments are decoded from bytes, events, states and replies leave as
bytes, so behaviour never depends on who called from where.

Time to live. An entity ends by a record: that of its timer, or that of the first command after its
time, which finds it deleted; so it ends neither early nor twice, and no late write brings it back
(ES-54). Queries see it until then, for what they see must not depend on what is still in flight.

Invariants: a step either returns a whole new instance with all its records, or raises and has
changed nothing; the reply is worked out on the new state (CX-03) but belongs to the records,
whoever runs the step must not let it go before they are durable; an error beats every change named
in the same effect (ES-24).
"""

from __future__ import annotations

import inspect
from datetime import timedelta
from typing import Any

import msgspec

from actorkalix.codec import codecs_for
from actorkalix.describe.descriptors import ComponentDescriptor, HandlerDescriptor
from actorkalix.errors import (
    CommandError,
    EntityDeleted,
    HandlerFailed,
    IdempotencyKeyReused,
    InvalidEffect,
    InvalidPayload,
    NotEncodable,
    NotInThisVersion,
    PayloadTooLarge,
    ResultTooLarge,
    UnknownRoute,
)
from actorkalix.failures import failure_of
from actorkalix.limits import Limits
from actorkalix.model.client import Calls
from actorkalix.model.component import Context, Live
from actorkalix.model.effects import Decision, Effect
from actorkalix.model.metadata import NO_METADATA, Metadata
from actorkalix_cluster.shardhost.behavior import Step
from actorkalix_cluster.shardhost.messages import Encoding, Message, MessageKind, Reply
from actorkalix_cluster.shardhost.outgoing import DERIVED
from actorkalix_storage.api import History, Record, RecordKind

from .instance import TRANSITIONS, Instance, Life, Outcome, changing, life_of
from .replies import StoredReply, digest, fault, pack, refusal, unpack
from .requests import forward_of, outgoing

Records = tuple[Record, ...]
_NOTHING_WRITTEN: Records = ()
_CALLS = Calls()
# Bound here, for to look up a member of an enum takes 0.1 us, and a message asks for many.
_HANDLE, _READ, _DELETED, _QUERY = Outcome.HANDLE, Outcome.READ, Life.DELETED, MessageKind.QUERY
_FAULTS = (HandlerFailed, InvalidEffect, NotEncodable, NotInThisVersion, ResultTooLarge)
"""What we say of a handler that broke a rule. What else it raises is unexpected (ES-82)."""


class Run(msgspec.Struct):
    """A handler's run: what it saw and what it came to."""

    handler: HandlerDescriptor
    live: Live
    decision: Decision


class EntityBehavior:
    """Base of the two kinds; `Behavior[Instance]` for a shard host."""

    def __init__(self, descriptor: ComponentDescriptor, limits: Limits) -> None:
        codec = codecs_for(descriptor)
        self._descriptor = descriptor
        self._limits = limits
        self._payload_max = limits.payload_bytes_max
        self._command_max = limits.command_bytes_max
        self._cls = descriptor.cls
        self._id = descriptor.component_id
        self._handlers = descriptor.handlers
        self._arguments = codec.arguments
        self._replies = codec.replies
        self._stored = codec.stored

    # ---- the port --------------------------------------------------------------------------------
    def empty(self, entity: str) -> Instance:
        """The instance of an id without records (ES-03, ES-10)."""
        return Instance(entity, self._empty_state(entity))

    def restore(self, entity: str, history: History) -> Instance:
        """The instance after its durable history; see the kinds."""
        raise AssertionError("each kind restores in its own way")

    def version(self, instance: Instance) -> int:
        """Number of records the instance rests on."""
        return instance.version

    def key_hash(self, message: Message) -> bytes:
        """16 bytes for the message's key; the store adds component and entity to the scope."""
        return digest(message.key.encode())

    def remembered(self, message: Message, reply: bytes) -> Reply:
        """The stored reply, or `IdempotencyKeyReused` for another request."""
        stored = unpack(reply)
        if stored.request != self._request_digest(message):
            error = IdempotencyKeyReused(
                f"idempotency key {message.key!r} was used for another request "
                f"to {self._id} {message.entity!r}"
            )
            return Reply(failure=failure_of(error))
        if stored.failure is not None:
            return Reply(failure=stored.failure, replayed=True)
        if stored.forward is not None:
            forward = msgspec.structs.replace(
                stored.forward,
                accept=message.accept,
                correlation_id=message.correlation_id,
                deadline_ms=message.deadline_ms,
                depth=message.depth + 1,
            )
            return Reply(metadata=stored.metadata, replayed=True, forward=forward)
        payload = stored.payload
        if message.accept is not Encoding.MSGPACK:
            codec = self._replies[message.method]
            payload = codec.encode(codec.decode(payload, Encoding.MSGPACK), message.accept)
        return Reply(payload=payload, metadata=stored.metadata, replayed=True)

    def step(self, instance: Instance, message: Message, now_ms: int) -> Step[Instance]:
        """Handle one message; see `TRANSITIONS`."""
        outcome = TRANSITIONS[life_of(instance), message.kind]
        over = 0 < instance.expires_ms <= now_ms
        if over and outcome is _HANDLE:
            deleted, record = self._deleted(instance, now_ms)
            step = self._handle(deleted, message, now_ms)
            return Step(step.instance, (record, *step.records), step.reply)
        if outcome is _HANDLE or outcome is _READ:
            return self._handle(instance, message, now_ms)
        if outcome is Outcome.EXPIRE and over:
            deleted, record = self._deleted(instance, now_ms)
            return Step(deleted, (record,), Reply())
        if outcome is Outcome.CLEAN:
            record = self._record(RecordKind.CLEANED, instance, now_ms)
            return Step(self.empty(instance.entity), (record,), Reply(), forget=True)
        return Step(instance, _NOTHING_WRITTEN, Reply())

    # ---- running a handler -----------------------------------------------------------------------
    def _handle(self, instance: Instance, message: Message, now_ms: int) -> Step[Instance]:
        handler = self._handlers.get(message.method)
        if handler is None:
            raise refusal(UnknownRoute(f"{self._id} has no handler {message.method!r}"))
        args, kwargs = self._arguments_of(message)
        component, live = self._awake(instance, message)
        try:
            try:
                returned = handler.fn(component, *args, **kwargs)
                run = Run(handler, live, self._decision(handler, returned, message))
                return self._decided(run, instance, message, now_ms)
            except CommandError as error:
                return self._refused(error, instance, message, now_ms)
        except _FAULTS as problem:
            raise fault(problem, message) from problem
        except (Exception, KeyboardInterrupt):
            raise
        except BaseException as problem:
            raise _ended(problem) from problem
        finally:
            component._live = None

    def _arguments_of(self, message: Message) -> tuple[tuple[Any, ...], dict[str, Any]]:
        size, size_max = len(message.payload), self._payload_max
        try:
            if size > size_max:
                raise PayloadTooLarge(f"a request of {size} bytes, payload_bytes_max is {size_max}")
            return self._arguments[message.method].decode(message.payload, message.encoding)
        except (InvalidPayload, PayloadTooLarge) as problem:
            raise refusal(problem) from None

    def _awake(self, instance: Instance, message: Message) -> tuple[Any, Live]:
        """A fresh object of the user's class; its properties answer (ES-11, ES-30)."""
        component = self._cls()
        metadata = Metadata(message.metadata) if message.metadata else NO_METADATA
        entity, deleted = instance.entity, instance.deleted_ms > 0
        context = Context(message.method, metadata, instance.number, entity, deleted)
        component._live = live = Live(instance.state, entity, context, _CALLS)
        return component, live

    def _decision(self, handler: HandlerDescriptor, returned: Any, message: Message) -> Decision:
        if isinstance(returned, Effect):
            decision = returned.decision
            if handler.kind == "query" or message.kind is _QUERY:
                self._refuse_change(handler, decision)
            return decision
        if handler.kind == "query":
            return Decision(reply=lambda _: returned)
        if inspect.iscoroutine(returned):
            returned.close()
        where = f"{self._cls.__name__}.{handler.name}"
        got = type(returned).__name__
        hint = "; end it with .then_reply(...)" if hasattr(returned, "then_reply") else ""
        raise InvalidEffect(f"{where} returned {got}, not an effect{hint}")

    def _refuse_change(self, handler: HandlerDescriptor, decision: Decision) -> None:
        """ES-60: what is read-only in the class must not change anything when it runs."""
        if changing(decision) or decision.side_effects:
            raise InvalidEffect(
                f"{self._cls.__name__}.{handler.name} is a query and must not change anything; "
                "make it a @command"
            )

    # ---- from a decision to records --------------------------------------------------------------
    def _decided(
        self, run: Run, instance: Instance, message: Message, now_ms: int
    ) -> Step[Instance]:
        method, decision = run.handler.name, run.decision
        if decision.error is not None:
            return self._refused(decision.error, instance, message, now_ms)
        changed, records = instance, _NOTHING_WRITTEN
        if changing(decision):
            if life_of(instance) is _DELETED:
                error = EntityDeleted(f"{self._id} {instance.entity!r} was deleted")
                return Step(instance, _NOTHING_WRITTEN, Reply(failure=failure_of(error)))
            changed, records = self._changes(run, instance, message, now_ms)
            run.live.state = changed.state
        if decision.side_effects:
            changed, records = self._outgoing(decision, changed, records, message, now_ms)
        if decision.forward is not None:
            return self._forwarded(run, changed, records, message, now_ms)
        value = None if decision.reply is None else decision.reply(changed.state)
        payload = self._reply_bytes(method, value, message.accept)
        metadata = decision.metadata.pairs
        size = len(payload)
        for record in records:
            size += len(record.payload)
        if size > self._command_max:
            raise self._too_large("changes and reply", size, self._command_max)
        if message.key and _is_keyed(message):
            kept = (
                payload
                if message.accept is Encoding.MSGPACK
                else self._reply_bytes(method, value, Encoding.MSGPACK)
            )
            stored = StoredReply(self._request_digest(message), kept, metadata)
            changed, records = self._remember(changed, records, message, stored, now_ms)
        return self._done(changed, records, Reply(payload, None, metadata))

    def _forwarded(
        self, run: Run, changed: Instance, records: Records, message: Message, now_ms: int
    ) -> Step[Instance]:
        """Somebody else replies, once the changes are durable (AC-30)."""
        call, metadata = run.decision.forward, run.decision.metadata.pairs
        assert call is not None, "there is a call"
        forward = forward_of(message, call.request)
        size = sum(len(record.payload) for record in records) + len(forward.payload)
        self._check_size("changes and forwarded call", size, self._limits.command_bytes_max)
        if _is_keyed(message):
            digested = self._request_digest(message)
            stored = StoredReply(digested, metadata=metadata, forward=forward)
            changed, records = self._remember(changed, records, message, stored, now_ms)
        return self._done(changed, records, Reply(metadata=metadata, forward=forward))

    def _done(self, changed: Instance, records: Records, reply: Reply) -> Step[Instance]:
        due = self._snapshot_due(changed)
        if due:
            changed = msgspec.structs.replace(changed, snapshot_number=changed.number)
        return Step(changed, records, reply, due)

    def _refused(
        self, error: CommandError, instance: Instance, message: Message, now_ms: int
    ) -> Step[Instance]:
        """The domain error changes nothing (ES-24); under a caller's key it is remembered."""
        failure = failure_of(error)
        size = len(failure.message) + len(failure.details) + len(failure.fields)
        self._check_size("domain error", size, self._limits.payload_bytes_max)
        changed, records = instance, _NOTHING_WRITTEN
        if _is_keyed(message) and not message.key.startswith(DERIVED):
            stored = StoredReply(self._request_digest(message), failure=failure)
            changed, records = self._remember(instance, records, message, stored, now_ms)
        return Step(changed, records, Reply(failure=failure))

    def _outgoing(
        self,
        decision: Decision,
        instance: Instance,
        records: Records,
        message: Message,
        now_ms: int,
    ) -> tuple[Instance, Records]:
        """Side effects are a record of the same commit: they are made if the change is (AC-31)."""
        payload = outgoing(message, decision.side_effects)
        record = self._record(RecordKind.OUTBOX, instance, now_ms, payload=payload)
        changed = msgspec.structs.replace(instance, version=instance.version + 1)
        return changed, (*records, record)

    def _remember(
        self, was: Instance, records: Records, message: Message, stored: StoredReply, now_ms: int
    ) -> tuple[Instance, Records]:
        """Key and reply ride in the command's last record; without one they get their own."""
        key, reply = self.key_hash(message), pack(stored)
        if records:
            last = msgspec.structs.replace(records[-1], key=key, reply=reply)
            return was, (*records[:-1], last)
        record = self._record(RecordKind.REPLY, was, now_ms, key=key, reply=reply)
        return msgspec.structs.replace(was, version=was.version + 1), (record,)

    def _reply_bytes(self, method: str, value: Any, encoding: Encoding) -> bytes:
        payload = self._replies[method].encode(value, encoding)
        if len(payload) > self._payload_max:
            raise self._too_large("reply", len(payload), self._payload_max)
        return payload

    def _check_size(self, what: str, size: int, size_max: int) -> None:
        if size > size_max:
            raise self._too_large(what, size, size_max)

    def _too_large(self, what: str, size: int, size_max: int) -> ResultTooLarge:
        return ResultTooLarge(f"{self._id}: {what} of {size} bytes, the limit is {size_max}")

    def _record(
        self,
        kind: RecordKind,
        instance: Instance,
        now_ms: int,
        *,
        payload: bytes = b"",
        key: bytes = b"",
        reply: bytes = b"",
    ) -> Record:
        """A record of this instance as it stands."""
        return Record(
            kind,
            self._id,
            instance.entity,
            instance.number,
            now_ms,
            payload,
            key,
            reply,
            instance.expires_ms,
        )

    def _request_digest(self, message: Message) -> bytes:
        """Stands for method and arguments as values: JSON's spacing and order do not matter."""
        if message.method not in self._arguments:
            raise refusal(UnknownRoute(f"{self._id} has no handler {message.method!r}"))
        args, kwargs = self._arguments_of(message)
        canonical = self._arguments[message.method].canonical(args, kwargs)
        return digest(message.method.encode(), canonical)

    # ---- what the kinds say ----------------------------------------------------------------------
    def _empty_state(self, entity: str) -> Any:
        component = self._cls()
        component._live = Live(entity_id=entity, context=Context(subject=entity), client=_CALLS)
        try:
            return component.empty_state()
        except (Exception, KeyboardInterrupt):
            raise
        except BaseException as problem:
            raise _ended(problem) from problem
        finally:
            component._live = None

    def _changes(
        self, run: Run, instance: Instance, message: Message, now_ms: int
    ) -> tuple[Instance, Records]:
        """The instance and the records after what a run has decided, encoded."""
        raise AssertionError("each kind changes in its own way")

    def _deleted(self, instance: Instance, now_ms: int) -> tuple[Instance, Record]:
        """The instance and the record after a delete."""
        raise AssertionError("each kind deletes in its own way")

    def _snapshot_due(self, instance: Instance) -> bool:
        return False


def expiry(decision: Decision, now_ms: int) -> int:
    """When an entity expires after this change: only what this change says counts (ES-54).

    Parts of a millisecond count as a whole one: nothing ends early.
    """
    if decision.expire_after is None:
        return 0
    return now_ms - (-decision.expire_after // timedelta(milliseconds=1))


def _ended(problem: BaseException) -> RuntimeError:
    """Of `sys.exit()` and its like: they end programs and tasks, a handler just fails by them."""
    return RuntimeError(f"a handler raised {type(problem).__name__}: {problem}")


def _is_keyed(message: Message) -> bool:
    return bool(message.key) and message.kind is MessageKind.COMMAND
