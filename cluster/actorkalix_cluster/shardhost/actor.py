"""A live actor, what it has in flight, and the table of its states.

Theory of operation. An actor holds two instances: `speculative` is what the next command sees,
`durable` what queries see. Between them stands `flights`, the appends on their way, oldest first;
when one lands, its instance becomes the durable one. `behavior.version(speculative)` is therefore
always the version of `durable` plus the records in flight.

States; an id without an actor is absent, and nothing is written when one leaves memory, so
leaving takes no time:

    ABSENT ----message----> LOADING ---loaded---> LIVE ---idle, forgotten---> ABSENT
                               |                   |
                               | unreadable        | broke: user code raised; what it did
                               v                   v        to the instances is not known (ES-82)
                             ABSENT <--landed--- BROKEN

A message waits in the mailbox while its actor is LOADING or BROKEN, or has no room for another
flight; of a kind that runs elsewhere, also while another message is there. An append that is
refused takes the actor and everything in flight behind it along: LIVE, BROKEN -> ABSENT. A shard
that is lost takes its actors along from every state. An actor that becomes ABSENT with messages in
its mailbox is loaded again at once.
"""

from __future__ import annotations

import enum
from typing import Any

import msgspec

from actorkalix_cluster.shardhost.behavior import Behavior
from actorkalix_cluster.shardhost.messages import Reply
from actorkalix_cluster.shardhost.shards import OwnedShard
from actorkalix_cluster.shardhost.ticket import Ticket
from actorkalix_storage.api import Ahead, Append, Position


class State(enum.Enum):
    """Where an actor is."""

    ABSENT = enum.auto()
    LOADING = enum.auto()
    LIVE = enum.auto()
    BROKEN = enum.auto()


class Turn(enum.Enum):
    """What may happen to an actor as a whole."""

    LOADED = enum.auto()
    UNREADABLE = enum.auto()
    BROKE = enum.auto()
    LANDED = enum.auto()  # everything in flight
    REFUSED = enum.auto()
    IDLE = enum.auto()
    FORGOTTEN = enum.auto()
    LOST = enum.auto()


NEXT: dict[tuple[State, Turn], State] = {
    (State.LOADING, Turn.LOADED): State.LIVE,
    (State.LOADING, Turn.UNREADABLE): State.ABSENT,
    (State.LOADING, Turn.LOST): State.ABSENT,
    (State.LIVE, Turn.BROKE): State.BROKEN,
    (State.LIVE, Turn.REFUSED): State.ABSENT,
    (State.LIVE, Turn.IDLE): State.ABSENT,
    (State.LIVE, Turn.FORGOTTEN): State.ABSENT,
    (State.LIVE, Turn.LOST): State.ABSENT,
    (State.BROKEN, Turn.LANDED): State.ABSENT,
    (State.BROKEN, Turn.REFUSED): State.ABSENT,
    (State.BROKEN, Turn.LOST): State.ABSENT,
}


class Actor:
    """One live actor. See the head of this file."""

    __slots__ = (
        "ahead",
        "away",
        "behavior",
        "component",
        "durable",
        "entity",
        "flights",
        "held",
        "incarnation",
        "keys",
        "mailbox",
        "newcomer",
        "position",
        "resting",
        "shard",
        "speculative",
        "state",
        "used_ms",
    )

    def __init__(
        self, behavior: Behavior[Any], component: str, entity: str, shard: OwnedShard
    ) -> None:
        self.behavior = behavior
        self.component = component
        self.entity = entity
        self.shard = shard
        self.state = State.LOADING
        self.speculative: Any = None
        self.durable: Any = None
        self.position: Position | None = None  # newest durable record
        self.incarnation = 0  # offset of the first record of this life
        self.flights: list[Flight] = []  # short, and an empty deque has 600 bytes
        self.resting = 0  # messages that wait for a flight of another, or for the store
        self.mailbox: list[Ticket] = []
        self.held = False  # its commands wait for a record of its own
        self.keys: dict[bytes, Flight | Lookup] = {}  # idempotency keys at work
        self.ahead = False  # a state is being written ahead of its commit
        self.away = False  # of a kind that runs elsewhere: a message is there, the others wait
        self.newcomer = False  # it was not asked since it was loaded
        self.used_ms = 0

    @property
    def busy(self) -> bool:
        """Something is under way: it must not leave memory."""
        at_work = self.flights or self.mailbox or self.keys or self.away
        return bool(at_work) or self.state is not State.LIVE

    def turn(self, turn: Turn) -> None:
        """Go where the table says."""
        self.state = NEXT[self.state, turn]


class Flight(msgspec.Struct, eq=False):
    """One command's append on its way to the disk, and everything that leaves when it is there.

    A struct, for there is one for each command.

    Attributes:
        actor: whose.
        append: that is written.
        instance: the actor's, when it is there.
        ticket, reply: of the command.
        size: bytes of the append.
        ahead: its state, which the append names.
        key: idempotency key of the command, b"" for none.
        parts: keys of its parts, of which each is a record.
        snapshot_due, forget, fire, halt: see `Step`.
        joined: the same request again, under the same key.
        rests: answers that have seen this and wrote nothing.
        void: what it rested on failed: it must not be written any more.
    """

    actor: Actor
    append: Append
    instance: Any
    ticket: Ticket
    reply: Reply
    size: int
    key: bytes = b""
    snapshot_due: bool = False
    forget: bool = False
    fire: bool = False
    halt: bool = False
    joined: list[Ticket] = []
    rests: list[tuple[Ticket, Reply]] = []
    ahead: Ahead | None = None
    void: bool = False
    parts: tuple[bytes, ...] = ()


class Lookup:
    """A question to the store whether an idempotency key was used, and who waits for the answer."""

    __slots__ = ("joined",)

    def __init__(self, ticket: Ticket) -> None:
        self.joined = [ticket]
