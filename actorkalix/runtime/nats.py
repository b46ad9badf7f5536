"""Topics of NATS JetStream: a writer, and a reader on the host's loop.

Theory of operation, writing. A message is published with its id as `Nats-Msg-Id`, and counts when
the stream has acknowledged it. Messages of a queue are published one after the other, queues side
by side; what fails is sent again with all that is behind it in its queue.

Reading. One host reads, so that order stands: JetStream hands out what was not acknowledged again
late, behind newer messages, and to whomever asks. So a reader never goes on where another one has
stopped. It begins a consumer of its own, behind the last message that the one before it has
acknowledged, and then removes that one:

    orders-shop-7, floor 1200    ->    create orders-shop-8 from 1201    ->    delete orders-shop-7

The newest one is the highest number, so a crash between two steps loses nothing. A session reads a
page, hands it in, and when it is durable acknowledges its last message, which stands for all before
it. It ends at the first thing that is not as it should be, the connection lost or a message missing
in the numbers of its consumer, and the next one begins from the floor: what comes again is known by
its number in the stream (`intake`).
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from actorkalix.brokers import Nats, Tls
from actorkalix.engine.binding import Incoming, headers_of, incoming
from actorkalix.runtime.broker_state import BrokerState
from actorkalix.runtime.extras import check_files, library_of
from actorkalix.runtime.outside import Outgoing

log = logging.getLogger("actorkalix.nats")

BATCH = 256
FETCH_S = 1.0
ACK_S = 5.0
CONNECT_S = 5.0
CLOSE_S = 1.0
AGAIN_S, AGAIN_S_MAX = 0.5, 5.0
LAG_EVERY = 10  # fetches
ACK_WAIT_S = 3_600.0  # a session that is lost is begun anew, nobody waits for this

Take = Callable[[str, str, Sequence[Incoming]], Awaitable[None]]
"""`Intake.take`."""


class NotLetIn(Exception):
    """The server has hung up before it had said who it is."""


class StreamMissing(Exception):
    """There is none, and it is not ours to make one."""


class SessionOver(Exception):
    """Something is not as it should be: begin anew from what was acknowledged."""


class Connection:
    """A connection to a broker, made when it is needed, and again when it was lost.

    Args:
        config: of the broker.
        service: name of the service.
    """

    def __init__(self, config: Nats, service: str) -> None:
        self._config = config
        self._service = service
        self._library = library_of(Nats)
        self._client: Any = None
        self._connecting: asyncio.Task[Any] | None = None

    async def client(self) -> Any:
        """The connected client.

        Raises:
            Exception: the server cannot be reached.
        """
        if self._client is not None and self._client.is_connected:
            return self._client
        if self._connecting is None or self._connecting.done():
            self._connecting = asyncio.get_running_loop().create_task(self._connect())
        return await asyncio.shield(self._connecting)

    async def _connect(self) -> Any:
        await self.aclose(ending=False)
        made = self._library.NATS()
        config, options = self._config, dict[str, Any]()
        if config.username:
            options |= {"user": config.username, "password": config.password}
        if config.token:
            options["token"] = config.token
        if config.credentials:
            options["user_credentials"] = config.credentials
        if config.tls is not None:
            options["tls"] = _context(config.tls)
        try:
            await asyncio.wait_for(
                made.connect(
                    servers=[one.strip() for one in config.servers.split(",")],
                    name=f"actorkalix-{self._service}",
                    error_cb=_heard,
                    connect_timeout=2,
                    max_reconnect_attempts=1,
                    allow_reconnect=False,
                    **options,
                ),
                CONNECT_S,
            )
        except BaseException as problem:
            await _closed(made)  # or its socket is open until it is collected
            if isinstance(problem, ConnectionError) and _may_want_certificate(config):
                raise NotLetIn(f"{problem}; {_ASKED}") from problem
            raise
        self._client = made
        return made

    async def aclose(self, *, ending: bool = True) -> None:
        """End it."""
        if ending and self._connecting is not None:
            self._connecting.cancel()
        client, self._client = self._client, None
        if client is not None:
            await _closed(client)


async def _closed(client: Any) -> None:
    transport = client._transport
    closing = asyncio.ensure_future(client.close())
    await asyncio.wait([closing], timeout=CLOSE_S)  # it is over in any case
    if not closing.done() or closing.exception() is not None:
        log.debug("a connection did not end well")
    if transport is not None:
        transport.close()


def _may_want_certificate(config: Nats) -> bool:
    is_secure = config.tls is not None or "tls://" in config.servers
    return is_secure and not (config.tls is not None and config.tls.cert_file)


_ASKED = "it may ask for a certificate of ours, which Tls(cert_file=..., key_file=...) shows"
"""A server that misses one hangs up; with TLS 1.3 the reason does not reach the client."""


async def _heard(problem: Exception) -> None:
    log.debug("nats: %s", problem)


def _context(tls: Tls) -> ssl.SSLContext:
    check_files(tls)
    context = ssl.create_default_context(cafile=tls.ca_file or None)
    if tls.cert_file:
        context.load_cert_chain(tls.cert_file, tls.key_file or None)
    return context


async def stream_of(client: Any, config: Nats, topic: str) -> str:
    """Name of the stream that has a topic; it is made where that is wanted.

    Raises:
        Exception: there is none, or the server does not answer.
    """
    if config.stream:
        return config.stream
    streams, subject = client.jetstream(), f"{config.prefix}{topic}"
    missing = library_of(Nats, "js", "errors").NotFoundError
    try:
        found: str = await streams.find_stream_name_by_subject(subject)
    except missing:
        if not config.create:
            why = f"no stream of JetStream has the subject {subject!r}, and create=False"
            raise StreamMissing(why) from None
        found = name_for(subject)
        await streams.add_stream(name=found, subjects=[subject])
        log.info("made the stream %s for the subject %s", found, subject)
    return found


def name_for(text: str) -> str:
    """A name that streams and consumers may have."""
    return "".join(c if c.isalnum() or c in "-_" else "_" for c in text)


class NatsWriter:
    """A `Writer`. Batches may be sent side by side.

    Args:
        config: of the broker.
        connection: to it.
        states: of the topics, by name.
    """

    def __init__(
        self, config: Nats, connection: Connection, states: Mapping[str, BrokerState]
    ) -> None:
        self._config = config
        self._connection = connection
        self._states = states
        self._known: set[str] = set()

    async def send(self, topic: str, messages: Sequence[Outgoing], /) -> None:
        """Send messages; see the head of this file.

        Raises:
            Exception: not all of them were acknowledged.
        """
        state = self._states[topic]
        try:
            await self._send(topic, messages)
        except Exception as problem:
            state.failed(f"{type(problem).__name__}: {problem}")
            raise
        state.worked(len(messages))

    async def _send(self, topic: str, messages: Sequence[Outgoing]) -> None:
        client = await self._connection.client()
        if topic not in self._known:
            await stream_of(client, self._config, topic)
            self._known.add(topic)
        queues: dict[str, list[Outgoing]] = {}
        for one in messages:
            queues.setdefault(one.queue, []).append(one)
        done = await asyncio.gather(
            *(self._queue(client, topic, some) for some in queues.values()), return_exceptions=True
        )
        for problem in done:
            if isinstance(problem, BaseException):
                raise problem

    async def _queue(self, client: Any, topic: str, messages: Sequence[Outgoing]) -> None:
        streams, subject = client.jetstream(), f"{self._config.prefix}{topic}"
        for one in messages:
            headers = dict(headers_of(one.message, one.time_ms))
            headers["Nats-Msg-Id"] = one.message.id
            await streams.publish(subject, one.message.data, timeout=ACK_S, headers=headers)


class NatsReader:
    """Reads one topic; see the head of this file.

    Args:
        config: of the broker.
        connection: to it, for this reader alone.
        service: name of the service.
        topic: its name.
        state: of it.
        take: takes messages.
    """

    def __init__(
        self,
        config: Nats,
        connection: Connection,
        service: str,
        topic: str,
        state: BrokerState,
        take: Take,
    ) -> None:
        self._config = config
        self._connection = connection
        self._topic = topic
        self._state = state
        self._take = take
        self._subject = f"{config.prefix}{topic}"
        self._prefix = f"{name_for(self._subject)}-{name_for(config.durable or service)}-"
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to read."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name="nats")

    async def aclose(self) -> None:
        """Read no more. What was not acknowledged comes again, to whoever reads then."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        await self._connection.aclose()

    async def _run(self) -> None:
        wait_s = AGAIN_S
        while True:
            before = self._state.handled
            try:
                await self._session()
            except Exception as problem:  # whatever it is, reading is tried again
                log.debug("a session with nats has ended", exc_info=True)
                self._state.failed(f"{type(problem).__name__}: {problem}")
            await self._connection.aclose(ending=False)
            wait_s = AGAIN_S if self._state.handled > before else min(2 * wait_s, AGAIN_S_MAX)
            await asyncio.sleep(wait_s)

    async def _session(self) -> None:
        client = await self._connection.client()
        stream = await stream_of(client, self._config, self._topic)
        streams = client.jetstream()
        name = await self._succeed(streams, stream)
        reading = await streams.pull_subscribe_bind(name, stream)
        self._state.parts = 1
        self._state.worked()
        expected, fetches = 1, 0
        while True:
            if fetches % LAG_EVERY == 0:
                self._state.behind = (await reading.consumer_info()).num_pending
            fetches += 1
            page = await self._page(reading)
            if not client.is_connected:
                raise SessionOver("the connection is lost")
            if not page:
                continue
            numbers = [message.metadata.sequence.consumer for message in page]
            if numbers != list(range(expected, expected + len(page))):
                raise SessionOver(f"expected message {expected} and so on, got {numbers[:3]}")
            expected += len(page)
            await self._take(self._topic, f"nats {stream}", [self._read(one) for one in page])
            await page[-1].ack_sync(timeout=ACK_S)
            self._state.worked(len(page))
            self._state.behind = page[-1].metadata.num_pending

    async def _page(self, reading: Any) -> list[Any]:
        try:
            found: list[Any] = await reading.fetch(BATCH, timeout=FETCH_S)
        except TimeoutError:
            return []
        return found

    async def _succeed(self, streams: Any, stream: str) -> str:
        """Make the consumer of this session, behind what those before it have acknowledged."""
        api = library_of(Nats, "js", "api")
        older = await self._older(streams, stream)
        options: dict[str, Any] = {"deliver_policy": api.DeliverPolicy.ALL}
        if older:
            floor = older[max(older)]
            options = {
                "deliver_policy": api.DeliverPolicy.BY_START_SEQUENCE,
                "opt_start_seq": floor + 1,
            }
        elif self._config.start_from == "now":
            options = {"deliver_policy": api.DeliverPolicy.NEW}
        name = f"{self._prefix}{max(older, default=0) + 1}"
        config = api.ConsumerConfig(
            durable_name=name,
            filter_subject=self._subject,
            ack_policy=api.AckPolicy.ALL,
            ack_wait=ACK_WAIT_S,
            max_ack_pending=4 * BATCH,
            **options,
        )
        await streams.add_consumer(stream, config)
        for number in older:
            await streams.delete_consumer(stream, f"{self._prefix}{number}")
        return name

    async def _older(self, streams: Any, stream: str) -> dict[int, int]:
        """Consumers of earlier sessions: number -> stream sequence that they have acknowledged."""
        found: dict[int, int] = {}
        offset, page = 0, [None]
        while page:
            page = await streams.consumers_info(stream, offset)
            offset += len(page)
            for info in page:
                number = str(info.name).removeprefix(self._prefix)
                if number != info.name and number.isdecimal():
                    found[int(number)] = info.ack_floor.stream_seq
        return found

    def _read(self, message: Any) -> Incoming:
        headers = dict[str, str](message.headers or {})
        return incoming(
            *(0, message.metadata.sequence.stream),
            [pair for pair in headers.items() if pair[0] != "Nats-Msg-Id"],
            message.data,
            content_type=self._config.content_type,
            source=f"nats {self._subject}",
        )
