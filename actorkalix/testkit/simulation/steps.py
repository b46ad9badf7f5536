"""Steps of workflows in a simulated host: who runs which when, and some of them fail.

They run where the host runs, on virtual time, by the product's own runner. An attempt that is to
fail by chance fails before it does anything, or after it has done everything: of the second kind
nobody knows, and it is made again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator

import msgspec

from actorkalix.describe.descriptors import ComponentDescriptor, ServiceDescriptor
from actorkalix.engine.workflow_control import Entry, entry_of
from actorkalix.engine.workflow_messages import (
    StepFailed,
    StepOutcome,
    pack_outcome,
    unpack_input,
    unpack_outcome,
)
from actorkalix.errors import HandlerFailed
from actorkalix.failures import failure_of
from actorkalix.runtime.dispatch import Steps
from actorkalix.testkit.checking import Execution, Flowed, Stored
from actorkalix_cluster.shardhost.messages import Message, Reply
from actorkalix_storage.api import StoredRecord, StoreError

from .chance import Chance
from .disk import Disk
from .inside import EXECUTION, Inside
from .processes import Process

log = logging.getLogger("actorkalix.testkit")
CLASSES = ("HandlerFailed", "ActorkalixError", "Exception")


class AttendedSteps:
    """A runner of steps whose executions are noted, and some of which fail.

    Args:
        inside: of the run.
        process: that they run in.
        disk: of its host.
        chance: says which fail.
        steps: the other one.
    """

    def __init__(
        self, inside: Inside, process: Process, disk: Disk, chance: Chance, steps: Steps
    ) -> None:
        self._steps = steps
        self._inside = inside
        self._process = process
        self._disk = disk
        self._chance = chance

    async def run(self, message: Message, /) -> Reply:
        """The outcome of an attempt."""
        number = self._begins(message)
        EXECUTION.set(number)
        fails = self._chance.happens(self._inside.conditions.rates.delivery_fails)
        outcome = "open"
        try:
            if fails and self._chance.happens(0.5):
                outcome = "failed"
                return Reply(pack_outcome(_failed()))
            reply = await self._steps.run(message)
            made = unpack_outcome(reply.payload) if reply.failure is None else StepOutcome()
            if fails and made.failed is None:
                made = msgspec.structs.replace(_failed(), undo=made.undo)
                reply = Reply(pack_outcome(made))
            outcome = "handled" if made.failed is None and reply.failure is None else "failed"
            return reply
        except asyncio.CancelledError:
            outcome = "cut off"
            raise
        finally:
            self._ends(number, outcome)

    def _begins(self, message: Message) -> int:
        inside, given = self._inside, unpack_input(message.payload)
        number = len(inside.executions)
        inside.executions.append(
            Execution(
                component=message.component,
                entity=message.entity,
                step=message.method,
                number=given.number,
                attempt=given.attempt,
                writer=self._process.name,
                durable=self._stands(message, given.sequence_number),
                began=inside.now_ns(),
            )
        )
        what = f"{message.component} {message.entity}.{message.method}"
        attempt = f"step {given.number} attempt {given.attempt}"
        inside.trace(f"{self._process.name}: {what} begins, {attempt} [{number}]")
        return number

    def _ends(self, number: int, outcome: str) -> None:
        inside = self._inside
        execution = inside.executions[number]
        inside.trace(f"{self._process.name}: step [{number}] {outcome}")
        inside.executions[number] = msgspec.structs.replace(
            execution, ended=inside.now_ns(), outcome=outcome
        )

    def _stands(self, message: Message, number: int) -> bool:
        """Whether the record that it follows from is on disk."""
        try:
            shards = range(self._disk.store.identity.shards)
            heads = (
                self._disk.store.head(shard, message.component, message.entity) for shard in shards
            )
            return any(head is not None and head.number >= number for head in heads)
        except StoreError:  # it has just failed, which is told elsewhere
            return True


def workflows_of(service: ServiceDescriptor) -> Iterator[ComponentDescriptor]:
    """The workflows of a service."""
    return (one for one in service.components.values() if one.kind == "workflow")


def flowed_of(found: StoredRecord, stored: Stored) -> Flowed:
    """A workflow's record with what it tells."""
    entry: Entry | None = None
    try:
        entry = entry_of(found.record.payload)
    except msgspec.MsgspecError as problem:
        log.error("%s: %s", stored, problem)
    return Flowed(stored, entry, found.record.time_ms)


def _failed() -> StepOutcome:
    error = HandlerFailed("the step fails, as it was drawn")
    return StepOutcome(failed=StepFailed(failure_of(error), CLASSES))
