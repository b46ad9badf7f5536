"""Simulated clients: what a plan lets them ask, through the host that they are connected to.

A client has one operation at a time. It connects to any host that serves, as connections to one
listening socket do; while none serves it waits. A request that was sent and not answered has an
unknown outcome: its host ended, the answer was lost, or the client gave up waiting. A call that has
an idempotency key may be sent again then, under the same key, and is one operation still: it has
the outcome of the last attempt, unless that says less than an earlier one left open.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

import msgspec

from actorkalix.describe.descriptors import ServiceDescriptor
from actorkalix.engine.requests import message_kind
from actorkalix.errors import ActorkalixError, CommandError, InvalidPayload, OutcomeUnknown
from actorkalix.model.client import Client
from actorkalix.model.workflows import CONTROLS
from actorkalix.runtime.in_process import HostTransport
from actorkalix.testkit.caught import Caught, said_of
from actorkalix.testkit.checking import Finding
from actorkalix.testkit.history import History, Operation
from actorkalix.testkit.recorder import ENTITY_ERRORS
from actorkalix_cluster.shardhost.messages import Encoding, Message, Reply

from .chance import Chance
from .hosts import HostClock, SimulatedHost
from .inside import OPERATION, note_reply
from .plan import Call
from .processes import Process
from .world import World

ATTEMPTS_MAX = 5
BACKOFF_MEAN_US = 50_000
RESET_US = 300


Program = Callable[[Client, Chance], Coroutine[Any, Any, object]]
"""What a client does on its own: several calls that belong together, as `async def transfer(client,
chance)`. An error of a call that it does not catch ends it, and is no finding; whatever else it
raises is one."""


class Clients:
    """All clients of a run, and the history of what they asked.

    Args:
        world: that they live in.
        service: that they ask.
        programs: what they may do, by name.

    Attributes:
        findings: what programs raised: an assertion of theirs, mostly.
    """

    def __init__(
        self, world: World, service: ServiceDescriptor, programs: Mapping[str, Program]
    ) -> None:
        self._world = world
        self._service = service
        self._loop = world.loop
        self._programs = programs
        self.findings: list[Finding] = []
        self._recorder = world.inside.recorder
        self._open: dict[str, list[asyncio.Future[Reply | None]]] = {}  # by the host's process
        world.on_end = self._reset

    @property
    def history(self) -> History:
        """What was asked and answered so far."""
        return self._recorder.history()

    @property
    def operations(self) -> Sequence[Operation]:
        """The same, one by one, whether they hold together or not."""
        return self._recorder.operations

    @property
    def newest(self) -> int:
        """Id of the operation that was noted last."""
        return self._recorder.newest

    async def run(self, client: int, calls: Sequence[Call]) -> None:
        """Ask what one client is to ask."""
        chance = self._world.chance.fork("client", client)
        for call in calls:
            await asyncio.sleep(call.wait_us / 1e6)
            if call.kind == "program":
                await self._program(f"c{client}", call, chance.fork(call.number))
            else:
                await self.ask(f"c{client}", call, chance.fork(call.number))

    async def _program(self, client: str, call: Call, chance: Chance) -> None:
        """Run a client's program once, through a client of the product's."""
        self._world.trace(f"{client}: begins {call.method}")
        clock = HostClock(self._loop, 0)
        sending = Sending(self, clock, call.timeout_ms, chance.fork("transport"))
        transport = self._recorder.wrap(sending, client)
        caught = Caught()
        with caught:
            async with Client._over(transport, sleep=asyncio.sleep) as connected:
                await self._programs[call.method](connected, chance.fork("program"))
        # Other errors of calls end it, as they end a client that catches nothing.
        if caught.error is not None and _is_finding(caught.error):
            text = f"program {call.method} of client {client}: {said_of(caught.error)}"
            self.findings.append(Finding(text, operations=(self.newest,)))

    async def ask(self, client: str, call: Call, chance: Chance) -> Reply | None:
        """One operation; None when its outcome is unknown."""
        arguments = msgspec.json.decode(call.body) if call.body else None
        if call.method in CONTROLS and self._service.components[call.component].kind == "workflow":
            call = msgspec.structs.replace(call, key="")  # controls know none
        asked = self._recorder.invoke(
            client,
            call.component,
            call.entity,
            "query" if call.kind == "query" else "command",
            call.method,
            arguments,
            key=call.key,
        )
        self._world.trace(f"{client}: [{OPERATION}{asked}] {call}")
        reply = await self._answer(asked, call, chance)
        self._note(asked, reply)
        said = "unknown" if reply is None else _said(reply)
        self._world.trace(f"{client}: [{OPERATION}{asked}] {said}")
        return reply

    async def _answer(self, asked: int, call: Call, chance: Chance) -> Reply | None:
        """The last attempt's answer; None where it is not known whether it was executed."""
        doubtful = False
        attempts = ATTEMPTS_MAX if call.retry else 1
        for attempt in range(attempts):
            if attempt:
                await asyncio.sleep(chance.exponential_us(BACKOFF_MEAN_US) / 1e6)
            reply = await self._attempt(asked, call, chance.fork(attempt))
            failure = None if reply is None else reply.failure
            if reply is not None and (failure is None or failure.number in ENTITY_ERRORS):
                is_kept = failure is None or failure.number == CommandError.number
                # Of what is not kept under the key, an earlier attempt may still make another.
                return reply if is_kept or not doubtful else None
            doubtful = doubtful or failure is None or failure.outcome == "unknown"
            if not doubtful and attempt + 1 == attempts:
                return reply
        return None

    async def _attempt(self, asked: int, call: Call, chance: Chance) -> Reply | None:
        component = self._service.components[call.component]
        kind = message_kind(component, component.handlers[call.method])
        message = Message(
            kind,
            call.component,
            call.entity,
            call.method,
            call.body,
            key=call.key,
            correlation_id=f"{OPERATION}{asked}",
        )
        return await self.send(message, call.timeout_ms, chance)

    async def send(self, message: Message, timeout_ms: int, chance: Chance) -> Reply | None:
        """Send a message once; None when nobody knows what became of it."""
        host = await self._connect(chance)
        answered: asyncio.Future[Reply | None] = self._loop.create_future()
        waiting = self._open.setdefault(host.process.name, [])
        waiting.append(answered)
        delay_us = self._delay_us(chance)
        answer = self._answering(host.process, answered, chance)
        # A process that has ended by then takes nothing: its connections were reset.
        self._loop.later_in(host.process, delay_us, host.serve, message, answer)
        timer = self._loop.call_later(timeout_ms / 1000, _settle, answered, None)
        reply = await answered
        timer.cancel()
        waiting.remove(answered)
        return reply

    async def _connect(self, chance: Chance) -> SimulatedHost:
        """A host that serves; while there is none, connections wait."""
        while not (serving := self._world.serving):
            await self._world.until(lambda: bool(self._world.serving))
        return chance.choice(serving)

    def _answering(
        self, process: Process, answered: asyncio.Future[Reply | None], chance: Chance
    ) -> Callable[[Reply], None]:
        """Brings a host's answer to its client."""

        def answer(reply: Reply) -> None:
            """In the host's process."""
            if self._world.reached(process, "before_reply"):
                return
            lost = chance.happens(self._world.conditions.rates.answer_lost)
            self._world.network.later(
                self._delay_us(chance), _settle, answered, None if lost else reply
            )

        return answer

    def _delay_us(self, chance: Chance) -> int:
        rates = self._world.conditions.rates
        return rates.client_min_us + chance.exponential_us(rates.client_mean_us)

    def _reset(self, host: SimulatedHost) -> None:
        """A host has ended: its connections are reset."""
        for answered in self._open.pop(host.process.name, ()):
            self._world.network.later(RESET_US, _settle, answered, None)

    # ---- the history --------------------------------------------------------------------------
    def _note(self, asked: int, reply: Reply | None) -> None:
        if reply is None:
            self._recorder.fail(asked, OutcomeUnknown("nobody knows"))
        else:
            note_reply(self._recorder, asked, reply, Encoding.JSON)


def _is_finding(error: Exception) -> bool:
    """Whether a program is to be mended: it asserts, breaks, or sends what no handler takes."""
    return isinstance(error, InvalidPayload) or not isinstance(error, ActorkalixError)


class Sending(HostTransport):
    """The transport of a program's client: it waits for `timeout_ms`, whatever clocks say."""

    def __init__(self, clients: Clients, clock: HostClock, timeout_ms: int, chance: Chance) -> None:
        super().__init__(self, clock)
        self._clients = clients
        self._timeout_ms = timeout_ms
        self._chance = chance
        self._sent = 0

    async def ask(self, message: Message, /) -> Reply:
        """Send a message; raises where nobody knows what became of it."""
        self._sent += 1
        asked = self._clients.newest  # it was noted by whoever called this, in this very step
        message = msgspec.structs.replace(
            message, correlation_id=f"{OPERATION}{asked}", deadline_ms=0
        )
        reply = await self._clients.send(message, self._timeout_ms, self._chance.fork(self._sent))
        if reply is None:
            raise OutcomeUnknown("nobody knows what became of it")
        return reply


def _settle(answered: asyncio.Future[Reply | None], reply: Reply | None) -> None:
    if not answered.done():
        answered.set_result(reply)


def _said(reply: Reply) -> str:
    if reply.failure is None:
        return reply.payload.decode()
    return f"{reply.failure.number} {reply.failure.outcome}"
