"""Where topics live: within the service, or at a broker outside.

Handlers name topics (`topic("orders")`); the service says where each of them is, by its name, or
by "*" for all others. Without a word it is within:

    Service("shop", components=[...], brokers={
        "audit": Embedded(kept=timedelta(days=90)),
        "orders": Kafka("kafka-1:9092,kafka-2:9092", username="shop", password=..., tls=Tls()),
        "*": Nats("nats://nats:4222"),
    })

What is published to a topic outside is queued durably with the change that caused it, and sent
until the broker has it: at least once, in order per subject, under the message's id. What comes
from one is taken into the topic's partitions within, once, in order per subject; then the broker
is told (an offset committed, a message acknowledged), and subscriptions handle it from there as
they handle everything. So what fails is parked there, and the broker's topic goes on.

The libraries are extras: `pip install "actorkalix[kafka]"`, `"actorkalix[nats]"`. None of them is
loaded before a service with such a topic starts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal, TypeAlias

OptionValue: TypeAlias = str | int | float | bool

_OURS = frozenset(
    (
        *("bootstrap.servers", "group.id", "enable.auto.commit", "enable.auto.offset.store"),
        *("enable.idempotence", "message.timeout.ms", "acks", "error_cb", "logger"),
    )
)
"""Options of librdkafka on which what is promised rests."""


@dataclass(frozen=True, kw_only=True)
class _Kept:
    """How long messages are kept in the topic's partitions within the service.

    Attributes:
        kept: a message older than this is dropped; None is `Limits.topic_kept`.
        bytes_max: where a topic has more, its oldest messages are dropped, whatever their age;
            each partition has its share. None is `Limits.topic_bytes_max`.
    """

    kept: timedelta | None = None
    bytes_max: int | None = None

    def __post_init__(self) -> None:
        if self.kept is not None and self.kept <= timedelta(0):
            raise ValueError(f"{type(self).__name__}: kept is a positive time, got {self.kept!r}")
        if self.bytes_max is not None and self.bytes_max < 1:
            raise ValueError(
                f"{type(self).__name__}: bytes_max is 1 or more, got {self.bytes_max!r}"
            )


@dataclass(frozen=True, kw_only=True)
class Embedded(_Kept):
    """The topic is within: a partitioned, durable log in the service's stores.

    Args:
        kept: a message older than this is dropped; None is `Limits.topic_kept`.
        bytes_max: of the whole topic; beyond it the oldest messages are dropped, each partition has
            its share. None is `Limits.topic_bytes_max`.

    Consumers that are behind what is dropped have missed it: `actorkalix consumers` names the
    messages, and so does the log. Ids of dropped messages count for `Limits.idempotency_kept`.

    Raises:
        ValueError: one of them is not positive.
    """


@dataclass(frozen=True, kw_only=True)
class Tls:
    """A connection over TLS.

    Args:
        ca_file: certificates to trust, PEM; "" is what the system trusts.
        cert_file, key_file: our own certificate and its key, PEM, where the broker asks for one.
    """

    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""


@dataclass(frozen=True)
class Kafka(_Kept):
    """The topic is one of Kafka, or of what speaks its protocol.

    Every host of the service reads as a member of one consumer group. A message's key is its
    subject, UTF-8; attributes of the CloudEvent are headers `ce-...` (`ce_...` is read as well).
    Topics are not created: one that is missing is named in the log, and waited for.

    Args:
        servers: `host:port`, several with commas.
        group: of its consumers; "" is the service's name.
        prefix: of the names at the broker: `topic("orders")` is `<prefix>orders` there.
        start_from: where a group begins that the broker does not know.
        content_type: of messages without one.
        username, password: for SASL.
        mechanism: of SASL.
        tls: of the connection; None is plain.
        options: further ones, with librdkafka's names (`CONFIGURATION.md` there); they win over
            what stands here.
        kept, bytes_max: of what was taken in; see `Embedded`.

    Raises:
        ValueError: something that cannot be.
    """

    servers: str
    group: str = field(default="", kw_only=True)
    prefix: str = field(default="", kw_only=True)
    start_from: Literal["beginning", "now"] = field(default="beginning", kw_only=True)
    content_type: str = field(default="application/json", kw_only=True)
    username: str = field(default="", kw_only=True)
    password: str = field(default="", kw_only=True, repr=False)
    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = field(
        default="PLAIN", kw_only=True
    )
    tls: Tls | None = field(default=None, kw_only=True)
    options: Mapping[str, OptionValue] = field(
        default_factory=dict[str, OptionValue], kw_only=True, repr=False
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_servers(self.servers, "Kafka")
        ours = sorted(_OURS.intersection(self.options))
        if ours:
            raise ValueError(f"Kafka: options {', '.join(ours)}: what is promised rests on ours")
        if bool(self.username) != bool(self.password):
            raise ValueError("Kafka: username and password go together")

    def __hash__(self) -> int:
        return hash((self.servers, self.group, self.prefix))


@dataclass(frozen=True)
class Nats(_Kept):
    """The topic is a subject of NATS, kept by a stream of JetStream.

    The host of the service's first store reads, alone, so that the order stands. `Nats-Msg-Id` is
    the message's id; attributes of the CloudEvent are headers `ce-...`, its subject among them.

    Args:
        servers: `nats://host:port` or `tls://host:port`, several with commas.
        stream: that has the topic; "" is the one that has its subject.
        durable: name of the consumer; "" is the service's name.
        prefix: of the subjects: `topic("orders")` is `<prefix>orders` there.
        create: make a stream with the topic's name where none has the subject.
        start_from: where one begins that the broker does not know.
        content_type: of messages without one.
        username, password: where the server asks for them.
        token: where the server asks for it.
        credentials: path of a `.creds` file.
        tls: of the connection; None is what the server asks for.
        kept, bytes_max: of what was taken in; see `Embedded`.

    Raises:
        ValueError: something that cannot be.
    """

    servers: str
    stream: str = field(default="", kw_only=True)
    durable: str = field(default="", kw_only=True)
    prefix: str = field(default="", kw_only=True)
    create: bool = field(default=True, kw_only=True)
    start_from: Literal["beginning", "now"] = field(default="beginning", kw_only=True)
    content_type: str = field(default="application/json", kw_only=True)
    username: str = field(default="", kw_only=True)
    password: str = field(default="", kw_only=True, repr=False)
    token: str = field(default="", kw_only=True, repr=False)
    credentials: str = field(default="", kw_only=True)
    tls: Tls | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_servers(self.servers, "Nats")
        if bool(self.username) != bool(self.password):
            raise ValueError("Nats: username and password go together")


Broker: TypeAlias = Embedded | Kafka | Nats
"""Where a topic may be."""

OTHERS = "*"
"""Key of a service's brokers that stands for all topics that have none of their own."""


def broker_of(brokers: Mapping[str, Broker], topic: str) -> Broker:
    """Where a topic is.

    Args:
        brokers: the service's.
        topic: its name.
    """
    return brokers.get(topic) or brokers.get(OTHERS) or Embedded()


def place_said(broker: Broker) -> str:
    """Where a topic is, in words: "embedded", or the kind and the servers of its broker."""
    if isinstance(broker, Embedded):
        return "embedded"
    return f"{'kafka' if isinstance(broker, Kafka) else 'nats'} {broker.servers}"


def _check_servers(servers: object, what: str) -> None:
    if not isinstance(servers, str) or not all(one.strip() for one in servers.split(",")):
        raise ValueError(f"{what}: servers is host:port, several with commas, got {servers!r}")
