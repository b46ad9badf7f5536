"""What the rules look at: plain data of what was asked, what is stored, and who owned what."""

from __future__ import annotations

from typing import Literal, NamedTuple

import msgspec

from actorkalix.engine.workflow_control import Entry
from actorkalix.testkit.history import Operation
from actorkalix_storage.api import RecordKind, StoredRecord


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """A record that is stored, without its payload.

    Attributes:
        component, entity: whose; "" for the records of a new epoch.
        kind: what it does.
        shard, lineage, epoch, offset: where it stands.
        version: the entity's number of records after it.
        number: its sequence number after it.
        incarnation: which life of the entity, for an id that was cleaned begins anew.
        key: that of a command, or its hash; b"" is none.
        operation: id of the operation that it comes from; None is of none that is known.
        writer: who wrote it, where that is known.
    """

    component: str
    entity: str
    kind: RecordKind
    shard: int
    lineage: int
    epoch: int
    offset: int
    version: int
    number: int
    incarnation: int = 1
    key: bytes = b""
    operation: int | None = None
    writer: str = ""

    def __str__(self) -> str:
        where = f"shard {self.shard} epoch {self.epoch} offset {self.offset}"
        return f"{self.component} {self.entity!r} record {self.version} ({where})"


def stored_of(found: StoredRecord, operation: int | None = None, writer: str = "") -> Stored:
    """The record as the rules look at it.

    Args:
        found: as a store gives it.
        operation: id of the operation that it comes from.
        writer: who wrote it.
    """
    record, position = found.record, found.position
    return Stored(
        component=record.component,
        entity=record.entity,
        kind=record.kind,
        shard=found.shard,
        lineage=position.lineage,
        epoch=position.epoch,
        offset=position.offset,
        version=found.version,
        number=record.number,
        incarnation=found.incarnation,
        key=record.key,
        operation=operation,
        writer=writer,
    )


class Ownership(msgspec.Struct, frozen=True):
    """Somebody took a shard and raised its epoch to this."""

    shard: int
    lineage: int
    epoch: int
    writer: str


class Shown(msgspec.Struct, frozen=True):
    """The answer to `operation` showed what the operations `of` did."""

    operation: int
    of: tuple[int, ...]


class Place(NamedTuple):
    """Where a record stands."""

    shard: int
    lineage: int
    epoch: int
    offset: int


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """A consumer was handed records.

    Attributes:
        consumer: its id.
        writer: the process that it belongs to.
        places: of the records, in order.
        durable: all of them were on disk when it began.
        began, ended: times, as those of operations; None when it came to no end.
        outcome: `handled`; `failed`; `open`: nobody knows.
        failure: why, or "".
    """

    consumer: str
    writer: str
    places: tuple[Place, ...]
    durable: bool
    began: int
    ended: int | None = None
    outcome: Literal["handled", "failed", "open"] = "open"
    failure: str = ""


class Wanted(msgspec.Struct, frozen=True):
    """A consumer wants the record that stands here, which has so many messages to be sent."""

    consumer: str
    place: Place
    messages: int = 0


class Caused(msgspec.Struct, frozen=True):
    """A delivery made a call.

    Attributes:
        operation: id of the call's operation.
        delivery: number of the delivery.
        number: of the call among those of the delivery to the same handler of the same entity;
            when it is sent again it keeps its number.
    """

    operation: int
    delivery: int
    number: int


class Viewed(msgspec.Struct, frozen=True):
    """A row of a view, and what the log makes of its subject; None where there is none.

    Attributes:
        view, table, subject: whose row.
        found, expected: the row as it is stored, and as it ought to be.
    """

    view: str
    table: str
    subject: str
    found: str | None
    expected: str | None


class Execution(msgspec.Struct, frozen=True, kw_only=True):
    """An execution of a workflow's step.

    Attributes:
        component, entity: the workflow.
        step: its name.
        number, attempt: of the step among those entered, and of the attempt, both from 1.
        writer: the process that ran it.
        durable: the record that it follows from was on disk when it began.
        began, ended: times, as those of operations; None when it came to no end.
        outcome: `handled`, `failed`, `cut off`; `open`: nobody knows.
    """

    component: str
    entity: str
    step: str
    number: int
    attempt: int
    writer: str
    durable: bool
    began: int
    ended: int | None = None
    outcome: str = "open"


class Flowed(NamedTuple):
    """A record of a workflow, and what it tells (None where it cannot be read)."""

    stored: Stored
    entry: Entry | None
    time_ms: int


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """All that is known of a run.

    Attributes:
        operations: what was attempted and how it was answered.
        stored: all records of the store, or () where nobody looked.
        was_read: somebody looked, so nothing in `stored` is nothing in the store.
        is_complete: nothing has been reclaimed, so records have no gaps.
        ownerships: who took which shard.
        silent: ids of commands that change nothing though they are answered with a value.
        shown: which answers showed what; values that name their operation tell.
        deliveries: what consumers were handed, in the order in which it began.
        wanted: which stored records they want, in the order of the log.
        caused: calls that deliveries made.
        at_rest: at the end consumers had nothing more to do.
        viewed: rows of views, those that ought to be there among them.
        acting: ids of components that write records that nobody has asked for: workflows.
        executions: of steps, in the order in which they began.
        flows: records of workflows, in the order of the log.
    """

    operations: tuple[Operation, ...]
    stored: tuple[Stored, ...] = ()
    was_read: bool = False
    is_complete: bool = True
    ownerships: tuple[Ownership, ...] = ()
    silent: frozenset[int] = frozenset()
    shown: tuple[Shown, ...] = ()
    deliveries: tuple[Delivery, ...] = ()
    wanted: tuple[Wanted, ...] = ()
    caused: tuple[Caused, ...] = ()
    at_rest: bool = False
    viewed: tuple[Viewed, ...] = ()
    acting: frozenset[str] = frozenset()
    executions: tuple[Execution, ...] = ()
    flows: tuple[Flowed, ...] = ()
