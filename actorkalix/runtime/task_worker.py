"""The composition root inside a worker of Ray's: actions and steps, as they run in tasks.

`action_work` is named in the host's order and called in the worker, which imports the service as
hosts do. Handlers run as they do on a host's loop (`InlineRunner`); plain functions on the worker's
main thread. What handlers ask goes back to the host that sent the task.
"""

from __future__ import annotations

import msgspec

from actorkalix.model.service import Service
from actorkalix.runtime.actions import InlineRunner, Slots, Surroundings
from actorkalix.runtime.loading import load
from actorkalix.runtime.logs import log_to_stderr
from actorkalix.runtime.resources import Resources
from actorkalix.runtime.steps import FieldsTold, InlineSteps
from actorkalix.runtime.task_messages import WorkerConfig, message_in, packed, reply_in
from actorkalix_cluster.rayhost.errands import Around, HostGone
from actorkalix_cluster.shardhost import failures
from actorkalix_cluster.shardhost.clock import RealClock
from actorkalix_cluster.shardhost.messages import Message, MessageKind, Reply


def action_work(config: bytes, around: Around) -> ActionWork:
    """The `Factory` of workers that run actions.

    Args:
        config: a `WorkerConfig` in msgpack.
        around: the worker.

    Raises:
        DefinitionError: the service cannot be imported in this process.
    """
    log_to_stderr()
    spec = msgspec.msgpack.decode(config, type=WorkerConfig).spec
    return ActionWork(load(spec).service, around)


class ActionWork:
    """`Work`: messages to actions, one at a time.

    Args:
        service: whose actions.
        around: the worker.
    """

    def __init__(self, service: Service, around: Around) -> None:
        resources = Resources(service.name, service.resources)
        self._live = Surroundings(HostAsk(around), RealClock(), service.limits, resources)
        self._service = service
        self._around = around
        self._slots = Slots(1)
        self._runners: dict[str, InlineRunner] = {}
        self._steps: dict[str, InlineSteps] = {}
        self._told = FieldsTold()

    async def do(self, work: bytes) -> bytes:
        """The reply to a message."""
        message = message_in(work)
        if message.kind is MessageKind.STEP:
            return packed(await self._steps_of(message.component).run(message))
        return packed(await self._runner(message.component).run(message))

    def _steps_of(self, component: str) -> InlineSteps:
        if component not in self._steps:
            self._steps[component] = InlineSteps(
                self._service.descriptor.components[component],
                self._live,
                threads=self._around.on_main,
                passing=(KeyboardInterrupt,),  # interrupts what nobody waits for any more
                told=self._told,
                from_begin=True,
            )
        return self._steps[component]

    def _runner(self, component: str) -> InlineRunner:
        if component not in self._runners:
            action = self._service.descriptor.components[component]
            self._runners[component] = InlineRunner(
                action, self._live, self._slots, threads=self._around.on_main
            )
        return self._runners[component]


class HostAsk:
    """`Ask`: has the host that sent the task answer.

    Args:
        around: the worker.
    """

    def __init__(self, around: Around) -> None:
        self._around = around

    async def ask(self, message: Message, /) -> Reply:
        """Send a message and wait for its answer; the host ends the wait at its deadline."""
        try:
            return reply_in(await self._around.ask(packed(message)))
        except HostGone as gone:
            return Reply(failure=failures.outcome_unknown(f"the host that sent the task: {gone}"))
