"""Topics of Kafka: a writer, and a reader on a thread of its own.

Theory of operation, writing. The producer is idempotent, and gives up nothing by itself: a batch is
handed over in order and waited for, and when its time is over the producer is emptied as a whole,
so that nothing of it follows later behind a gap. What was not acknowledged is sent again, all of
the batch: a message may be there twice, under the same id, and none before an earlier one of its
subject that was not there yet.

Reading. All hosts are members of one group, so Kafka deals out the partitions. A round of the
thread:

    consume up to `BATCH` messages -> hand them in, and wait until they are durable -> commit

so an offset is committed when everything before it is ours. What is delivered again, after a crash
or to another member, is known by partition and offset and dropped (`intake`). Kafka takes
partitions away between rounds alone, for that happens within `consume`.

An error of one partition or topic is told and waited out; one that is fatal for the client, or that
we do not know, ends the session, and another one begins.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import CancelledError
from typing import Any

from actorkalix.brokers import Kafka, OptionValue
from actorkalix.engine.binding import Incoming, headers_of, incoming
from actorkalix.runtime.broker_state import BrokerState
from actorkalix.runtime.extras import library_of
from actorkalix.runtime.outside import Outgoing

log = logging.getLogger("actorkalix.kafka")

BATCH = 500
POLL_S = 0.25
SEND_S = 20.0  # until a batch is given up that no broker acknowledges, to be sent again
LAG_EVERY_S = 5.0
AGAIN_S = 1.0
JOIN_S = 10.0

Take = Callable[[str, str, Sequence[Incoming]], Awaitable[None]]
"""`Intake.take`."""


class ClientLog:
    """Where librdkafka logs: for those who look closely; errors are told by `BrokerState`."""

    def log(self, level: int, *said: object) -> None:
        """Take note of a line."""
        log.debug(*said)


ASKED = "they may ask for a certificate of ours, which Tls(cert_file=..., key_file=...) shows"
"""A broker that misses one hangs up; with TLS 1.3 the reason does not reach the client."""


class NotSent(Exception):
    """A broker has not acknowledged all messages of a batch."""


def client_options(config: Kafka, service: str) -> dict[str, Any]:
    """What every client of a broker is given, but for `config.options`.

    Args:
        config: of the broker.
        service: name of the service.
    """
    found: dict[str, Any] = {
        "bootstrap.servers": config.servers,
        "client.id": f"actorkalix-{service}",
        "logger": ClientLog(),
        "reconnect.backoff.max.ms": 2_000,
    }
    tls = config.tls
    if config.username:
        found |= {
            "sasl.mechanism": config.mechanism,
            "sasl.username": config.username,
            "sasl.password": config.password,
        }
    if config.username or tls is not None:
        security = f"{'SASL_' if config.username else ''}{'PLAINTEXT' if tls is None else 'SSL'}"
        found["security.protocol"] = security
    if tls is not None:
        files = {
            "ssl.ca.location": tls.ca_file,
            "ssl.certificate.location": tls.cert_file,
            "ssl.key.location": tls.key_file,
        }
        found |= {name: path for name, path in files.items() if path}
    return found


class Complaints:
    """What a client complains of, in words, from any thread.

    The reason comes first, for each broker, and then that all are down, again and again.

    Args:
        config: of the broker.

    Attributes:
        last: the newest one, or "".
    """

    def __init__(self, config: Kafka) -> None:
        tls = config.tls
        self._asked = ASKED if tls is not None and not tls.cert_file else ""
        self._all_down = library_of(Kafka).KafkaError._ALL_BROKERS_DOWN
        self._reason = ""
        self.last = ""

    def heard(self, error: Any) -> str:
        """A complaint, with the reason that was given before it."""
        said = str(error.str())
        if error.code() != self._all_down:
            self._reason = self.last = said
        else:
            why = self._reason or self._asked
            self.last = f"{said}; {why}" if why else said
        return self.last

    def over(self) -> None:
        """It goes on."""
        self._reason = self.last = ""


class KafkaWriter:
    """A `Writer`. Batches may be sent side by side.

    Args:
        config: of the broker.
        service: name of the service.
        states: of the topics, by name.
    """

    def __init__(self, config: Kafka, service: str, states: Mapping[str, BrokerState]) -> None:
        self._config = config
        self._options: dict[str, OptionValue] = {
            **client_options(config, service),
            "linger.ms": 5,
            "message.timeout.ms": 0,
            "enable.idempotence": True,
            **config.options,
        }
        self._states = states
        self._library = library_of(Kafka)
        self._complaints = Complaints(config)
        self._producer: Any = None
        self._lock = threading.Lock()

    async def send(self, topic: str, messages: Sequence[Outgoing], /) -> None:
        """Send messages; see the head of this file.

        Raises:
            NotSent: not all of them were acknowledged.
        """
        state = self._states[topic]
        try:
            await asyncio.to_thread(self._send, f"{self._config.prefix}{topic}", messages)
        except Exception as problem:
            state.failed(f"{type(problem).__name__}: {problem}")
            raise
        self._complaints.over()
        state.worked(len(messages))

    def _send(self, name: str, messages: Sequence[Outgoing]) -> None:
        producer = self._made()
        failures: list[Any] = []
        left = len(messages)

        def delivered(error: Any, _: Any) -> None:
            nonlocal left
            left -= 1
            if error is not None:
                failures.append(error)

        try:
            for one in messages:
                self._produce(producer, name, one, delivered)
            until = time.monotonic() + SEND_S
            while left > 0 and time.monotonic() < until:
                producer.poll(POLL_S)
            unsent = left
        except self._library.KafkaException as problem:
            self._forget(producer)
            raise NotSent(f"{name}: {problem}") from problem
        if unsent > 0 or any(error.fatal() for error in failures):
            self._forget(producer)
        if unsent > 0 or failures:
            why = str(failures[0].str()) if failures else f"no answer in {SEND_S:g} s"
            if self._complaints.last and not failures:
                why = f"{why}; {self._complaints.last}"
            raise NotSent(f"{name}: {unsent + len(failures)} of {len(messages)} not sent: {why}")

    def _produce(self, producer: Any, name: str, one: Outgoing, delivered: Any) -> None:
        made = one.message
        while True:
            try:
                producer.produce(
                    name,
                    value=made.data,
                    key=made.subject.encode() if made.subject else None,
                    headers=headers_of(made, one.time_ms),
                    on_delivery=delivered,
                )
                return
            except BufferError:
                producer.poll(POLL_S)  # its queue is full

    def _made(self) -> Any:
        with self._lock:
            if self._producer is None:
                options = {**self._options, "error_cb": self._complaints.heard}
                self._producer = self._library.Producer(options)
            return self._producer

    def _forget(self, producer: Any) -> None:
        """Begin with another one; what this one still has is not to follow behind our backs."""
        with self._lock:
            if self._producer is producer:
                self._producer = None
        producer.purge()

    def close(self) -> None:
        """Send nothing more."""
        with self._lock:
            producer, self._producer = self._producer, None
        if producer is not None:
            producer.purge()
            producer.flush(1)


class KafkaReader:
    """Reads topics of one broker; see the head of this file.

    Args:
        config: of the broker.
        service: name of the service.
        states: of the topics to read, by name.
        take: takes messages.
    """

    def __init__(
        self, config: Kafka, service: str, states: Mapping[str, BrokerState], take: Take
    ) -> None:
        self._config = config
        self._complaints = Complaints(config)
        self._options: dict[str, OptionValue] = {
            **client_options(config, service),
            "group.id": config.group or service,
            "auto.offset.reset": "earliest" if config.start_from == "beginning" else "latest",
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "partition.assignment.strategy": "cooperative-sticky",
            "topic.metadata.refresh.interval.ms": 30_000,
            "session.timeout.ms": 10_000,  # a host that was killed holds its partitions so long
            # So long a member waits to be let into its group before it asks again: it is not told
            # that a broker which stood still has forgotten it. A take that lasts longer than this
            # costs another dealing out of the partitions, and nothing else.
            "max.poll.interval.ms": 60_000,
            **config.options,
        }
        self._states = states
        self._names = {f"{config.prefix}{topic}": topic for topic in states}
        self._take = take
        self._library = library_of(Kafka)
        self._stopped = threading.Event()
        self._taking: asyncio.Future[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run, name="actorkalix-kafka", daemon=True)
        self._lag_at = 0.0

    def start(self) -> None:
        """Begin to read; `take` is called on the loop that runs now."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    async def aclose(self) -> None:
        """Leave the group. What was not committed comes again, to whoever reads then."""
        self._stopped.set()
        if self._taking is not None:
            self._taking.cancel()
        if self._thread.is_alive():
            await asyncio.to_thread(self._thread.join, JOIN_S)

    # ---- on the thread ------------------------------------------------------------------------
    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                self._session()
            except CancelledError:
                break
            except Exception as problem:  # whatever it is, reading is tried again
                log.debug("a session with kafka has ended", exc_info=True)
                self._failed(f"{type(problem).__name__}: {problem}")
                self._stopped.wait(AGAIN_S)

    def _session(self) -> None:
        consumer: Any = self._library.Consumer({**self._options, "error_cb": self._heard})
        try:
            consumer.subscribe(list(self._names))
            while not self._stopped.is_set():
                self._round(consumer)
        finally:
            consumer.close()

    def _round(self, consumer: Any) -> None:
        found: dict[str, list[Any]] = {}
        for message in consumer.consume(num_messages=BATCH, timeout=POLL_S):
            error = message.error()
            if error is None:
                found.setdefault(message.topic(), []).append(message)
            elif error.fatal():
                raise self._library.KafkaException(error)
            else:
                self._failed(str(error.str()), message.topic())
        for name, messages in found.items():
            topic = self._names[name]
            self._wait(self._take(topic, self._source(name), [self._read(m) for m in messages]))
        if found:
            self._commit(consumer, [m for messages in found.values() for m in messages])
        for name, messages in found.items():
            self._complaints.over()
            self._states[self._names[name]].worked(len(messages))
        if time.monotonic() - self._lag_at >= LAG_EVERY_S:
            self._lag_at = time.monotonic()
            self._look_at_lag(consumer)

    def _wait(self, work: Awaitable[None]) -> None:
        """Have something done on the loop, however long it takes."""
        assert self._loop is not None, "a reader is started once"

        async def whole() -> None:
            self._taking = asyncio.ensure_future(work)
            if self._stopped.is_set():
                self._taking.cancel()
            await self._taking

        asyncio.run_coroutine_threadsafe(whole(), self._loop).result()

    def _commit(self, consumer: Any, messages: Sequence[Any]) -> None:
        """Say what we have. Where that fails the messages come again, and are known."""
        last: dict[tuple[str, int], int] = {}
        for message in messages:
            place = (message.topic(), message.partition())
            last[place] = max(last.get(place, 0), message.offset())
        place_of = self._library.TopicPartition
        offsets = [place_of(*place, offset + 1) for place, offset in last.items()]
        try:
            consumer.commit(offsets=offsets, asynchronous=False)
        except self._library.KafkaException as problem:
            for name in {name for name, _ in last}:
                self._failed(f"offsets are not committed: {problem}", name)

    def _look_at_lag(self, consumer: Any) -> None:
        behind: dict[str, int] = dict.fromkeys(self._names, 0)
        parts: dict[str, int] = dict.fromkeys(self._names, 0)
        for place in consumer.position(consumer.assignment()):
            _, high = consumer.get_watermark_offsets(place, cached=True)
            parts[place.topic] += 1
            if high > place.offset >= 0:
                behind[place.topic] += high - place.offset
        for name, topic in self._names.items():
            state = self._states[topic]
            state.behind, state.parts = behind[name], parts[name]

    def _heard(self, error: Any) -> None:
        self._failed(self._complaints.heard(error))

    def _failed(self, why: str, name: str | None = None) -> None:
        for one, topic in self._names.items():
            if name in (None, one):
                self._states[topic].failed(why)

    def _source(self, name: str) -> str:
        return f"kafka {name}"

    def _read(self, message: Any) -> Incoming:
        return incoming(
            *(message.partition(), message.offset(), message.headers() or ()),
            message.value() or b"",
            key=message.key(),
            content_type=self._config.content_type,
            source=self._source(message.topic()),
        )
