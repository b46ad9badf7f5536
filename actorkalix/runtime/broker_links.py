"""All that a host has to do with brokers and streams outside: writers, readers, how they fare.

Writers are made with the host, for its consumers publish with them; readers when messages can leave
it. Kafka deals out its partitions among all hosts. A topic of NATS, and a stream of another
service, is read by one host alone, that of the service's first store.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from actorkalix.brokers import Kafka, Nats, place_said
from actorkalix.consumer_views import ConsumerView
from actorkalix.describe.streams import streams_taken
from actorkalix.describe.topics import taken_topics
from actorkalix.model.service import Service
from actorkalix.ports import Ask
from actorkalix.runtime.broker_state import BrokerState
from actorkalix.runtime.extras import check_extras
from actorkalix.runtime.inlet import Inlet
from actorkalix.runtime.intake import Intake
from actorkalix.runtime.kafka import KafkaReader, KafkaWriter
from actorkalix.runtime.nats import Connection, NatsReader, NatsWriter
from actorkalix.runtime.outside import Publishing, Writer, outside_topics
from actorkalix.runtime.stream_words import Services


class BrokerLinks:
    """See the head of this file.

    Args:
        service: whose topics these are.
        now_ms: the host's clock.
        services: ways to other services; without them their streams are not read.

    Attributes:
        topics: names of those outside.
        publishing: subscribers that publish to them, for the host.

    Raises:
        ExtraMissing: a library is not installed.
    """

    def __init__(
        self, service: Service, now_ms: Callable[[], int], services: Services | None = None
    ) -> None:
        self._service = service
        self._outside = outside_topics(service)
        self._now_ms = now_ms
        self._services = services
        self.topics = frozenset(self._outside)
        check_extras({type(broker) for broker in self._outside.values()})
        self._from: list[BrokerState] = []
        self._to: list[BrokerState] = []
        self._kafka: list[KafkaWriter] = []
        self._connections: list[Connection] = []
        self._readers: list[KafkaReader | NatsReader | Inlet] = []
        writers = {broker: self._writer(broker) for broker in set(self._outside.values())}
        self.publishing = [
            Publishing(topic, writers[broker]) for topic, broker in sorted(self._outside.items())
        ]

    def start(self, ask: Ask, *, first: bool) -> None:
        """Begin to read.

        Args:
            ask: answers messages to partitions, on any host.
            first: this is the host of the service's first store.
        """
        take = Intake(ask, self._service.limits.topic_partitions).take
        taken = taken_topics(self._service.descriptor)
        for broker in set(self._outside.values()):
            topics = [one for one in taken if self._outside.get(one) == broker]
            if not topics or (isinstance(broker, Nats) and not first):
                continue
            states = {one: self._state("from", one) for one in topics}
            if isinstance(broker, Kafka):
                self._readers.append(KafkaReader(broker, self._service.name, states, take))
            else:
                for topic, state in states.items():
                    link = Connection(broker, self._service.name)
                    self._readers.append(
                        NatsReader(broker, link, self._service.name, topic, state, take)
                    )
        if first:
            self._readers += self._inlets(ask)
        for reader in self._readers:
            reader.start()

    def views(self) -> list[ConsumerView]:
        """The readers; and where the writers write to, whose consumers are the host's."""
        targets = [ConsumerView(one.consumer, source=one.source) for one in self._to]
        return [*targets, *(one.view() for one in self._from)]

    async def stop_reading(self) -> None:
        """Take nothing more; what was not told to the brokers comes again."""
        readers, self._readers = self._readers, []
        await asyncio.gather(*(reader.aclose() for reader in readers))

    async def aclose(self) -> None:
        """End all connections."""
        await self.stop_reading()
        for writer in self._kafka:
            await asyncio.to_thread(writer.close)
        for connection in self._connections:
            await connection.aclose()

    def _inlets(self, ask: Ask) -> list[Inlet]:
        """One for each stream of another service."""
        found: list[Inlet] = []
        for source in streams_taken(self._service.descriptor) if self._services else ():
            assert self._services is not None, "there are ways"
            state = BrokerState(f"~from:{source.label}", f"stream {source.label}", self._now_ms)
            self._from.append(state)
            found.append(
                Inlet(
                    *(self._service.name, source, self._services, ask),
                    *(self._service.limits, state),
                )
            )
        return found

    def _writer(self, broker: Kafka | Nats) -> Writer:
        topics: Sequence[str] = [one for one, where in self._outside.items() if where == broker]
        states = {topic: self._state("to", topic) for topic in topics}
        if isinstance(broker, Kafka):
            made = KafkaWriter(broker, self._service.name, states)
            self._kafka.append(made)
            return made
        connection = Connection(broker, self._service.name)
        self._connections.append(connection)
        return NatsWriter(broker, connection, states)

    def _state(self, way: str, topic: str) -> BrokerState:
        broker = self._outside[topic]
        source = f"{place_said(broker)} {broker.prefix}{topic}"
        made = BrokerState(f"~{way}:{topic}", source, self._now_ms)
        (self._from if way == "from" else self._to).append(made)
        return made
