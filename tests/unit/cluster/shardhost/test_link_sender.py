"""What goes to a peer: batches of the right size, few at a time, again when nobody knows."""

from __future__ import annotations

from dataclasses import dataclass, field

from actorkalix.runtime.virtual import VirtualClock, settle
from actorkalix_cluster.shardhost.limits import LinkLimits
from actorkalix_cluster.shardhost.link_sender import Done, PeerEnded, Sender, Way
from actorkalix_cluster.shardhost.messages import Message, MessageKind, Reply
from actorkalix_cluster.shardhost.observer import SilentObserver
from actorkalix_cluster.shardhost.ticket import Desk, Stage, Ticket
from actorkalix_cluster.shardhost.wire import (
    Answer,
    decode_batch,
    encode_anew,
    encode_answer,
    encode_request,
)
from tests.unit.cluster.shardhost.rig import run

UNKNOWN = OSError("nobody knows")


@dataclass
class Wire:
    """A transport that keeps what it is given."""

    sent: list[tuple[bytes, Done]] = field(default_factory=list[tuple[bytes, Done]])

    def send(self, batch: bytes, done: Done, /) -> None:
        self.sent.append((batch, done))

    def place(self, index: int) -> tuple[int, int, int]:
        """Session and number of a batch, and how many frames it has."""
        batch = decode_batch(self.sent[index][0], 0)
        return batch.envelope.session, batch.envelope.number, len(batch.frames)


class Bench:
    """A sender on a bench."""

    def __init__(self, **limits: int) -> None:
        self.clock = VirtualClock()
        self.wire = Wire()
        self.desk = Desk(SilentObserver())
        self.told: list[str] = []
        self.sender = Sender(
            Way(0, 1, 1, 1),
            clock=self.clock,
            limits=LinkLimits(**limits),
            on_ended=lambda: self.told.append("ended"),
            on_stuck=lambda: self.told.append("stuck"),
        )

    def request(self, number: int, size: int = 1) -> Ticket:
        """Put a request."""
        message = Message(MessageKind.COMMAND, "c", "e", "m", b"x" * size)
        ticket = self.desk.open(message)
        self.sender.put(encode_request(number, 0, message), number, ticket)
        return ticket

    def answer(self, number: int) -> None:
        """Put an answer."""
        self.sender.put(encode_answer(number, Reply(b"1")))


def test_what_comes_in_one_round_of_the_loop_leaves_together() -> None:
    async def case() -> None:
        b = Bench()
        b.sender.connect(b.wire)
        tickets = [b.request(number) for number in range(1, 51)]
        b.answer(1)
        assert b.wire.sent == []
        await settle()
        assert [b.wire.place(0)] == [(1, 1, 51)]
        assert {ticket.stage for ticket in tickets} == {Stage.STARTED}
        assert list(b.sender.left.values()) == tickets

    run(case())


def test_few_batches_are_in_flight_and_the_rest_gathers() -> None:
    async def case() -> None:
        b = Bench(batches_in_flight_max=2)
        b.sender.connect(b.wire)
        for number in range(1, 8):
            b.request(number)
            await settle()
        assert [b.wire.place(0), b.wire.place(1)] == [(1, 1, 1), (1, 2, 1)]
        assert len(b.wire.sent) == 2
        b.wire.sent[1][1](None)  # not the oldest: the peer waits for that one
        await settle()
        assert len(b.wire.sent) == 2
        b.wire.sent[0][1](None)
        b.wire.sent[0][1](None)  # told twice
        await settle()
        assert b.wire.place(2) == (1, 3, 5)
        assert len(b.wire.sent) == 3

    run(case())


def test_batches_are_bounded_and_a_larger_frame_goes_alone() -> None:
    async def case() -> None:
        b = Bench(batches_in_flight_max=100)
        b.sender.connect(b.wire)
        for number in range(1, 1_001):
            b.request(number, 100)
        b.request(1_001, 12_000_000)
        b.request(1_002)
        await settle()
        sizes = [len(batch) for batch, _ in b.wire.sent]
        assert [size > 65_536 for size in sizes] == [False] * (len(sizes) - 2) + [True, False]
        assert min(sizes[:-3]) > 65_000
        assert b.wire.place(len(sizes) - 2)[2] == 1
        assert sum(b.wire.place(index)[2] for index in range(len(sizes))) == 1_002
        assert b.sender.queued_bytes == 0

    run(case())


def test_what_was_taken_back_does_not_leave() -> None:
    async def case() -> None:
        b = Bench()
        first, second = b.request(1), b.request(2)
        assert first.drop()
        b.sender.connect(b.wire)
        await settle()
        assert b.wire.place(0) == (1, 1, 1)
        assert list(b.sender.left.values()) == [second]
        assert not second.drop(), "it has left"
        b.request(3).drop()
        await settle()
        assert len(b.wire.sent) == 1, "an empty batch is none"

    run(case())


def test_the_same_bytes_go_again_when_nobody_knows_and_each_time_later() -> None:
    async def case() -> None:
        b = Bench(attempts_max=4, resend_after_ms=20, resend_after_ms_max=50)
        b.sender.connect(b.wire)
        b.request(1)
        await settle()
        for wait_ms in (20, 40, 50):
            count = len(b.wire.sent)
            b.wire.sent[-1][1](UNKNOWN)
            b.wire.sent[-1][1](UNKNOWN)  # told twice
            b.wire.sent[0][1](UNKNOWN)  # of an earlier attempt
            await b.clock.advance(wait_ms - 1)
            assert len(b.wire.sent) == count
            await b.clock.advance(1)
            assert len(b.wire.sent) == count + 1
        assert len({batch for batch, _ in b.wire.sent}) == 1
        assert (b.sender.batches, b.sender.resent) == (1, 3)
        assert b.told == []
        b.wire.sent[-1][1](UNKNOWN)
        assert b.told == ["stuck"]

    run(case())


def test_a_late_acknowledgement_counts() -> None:
    async def case() -> None:
        b = Bench()
        b.sender.connect(b.wire)
        b.request(1)
        await settle()
        b.wire.sent[0][1](UNKNOWN)
        b.wire.sent[0][1](None)
        await b.clock.advance(1_000)
        assert len(b.wire.sent) == 1

    run(case())


def test_a_new_session_begins_with_its_first_frame_and_numbers_anew() -> None:
    async def case() -> None:
        b = Bench()
        b.sender.connect(b.wire)
        b.request(1)
        await settle()
        b.request(2)
        await settle()
        b.wire.sent[0][1](None)
        assert b.sender.certain == 1, "the second one is not acknowledged"
        b.answer(1)
        b.sender.restart(encode_anew(0, 0))
        assert b.sender.certain == 2
        b.wire.sent[1][1](UNKNOWN)  # of the former session
        await b.clock.advance(1_000)
        b.answer(9)
        await settle()
        assert [b.wire.place(2), b.wire.place(3)] == [(2, 1, 1), (2, 2, 1)]
        (frame,) = decode_batch(b.wire.sent[3][0], 0).frames
        assert isinstance(frame, Answer)
        assert frame.id == 9

    run(case())


def test_after_the_peers_end_nothing_is_sent() -> None:
    async def case() -> None:
        b = Bench()
        b.sender.connect(b.wire)
        b.request(1)
        await settle()
        b.wire.sent[0][1](PeerEnded())
        assert b.told == ["ended"]
        b.sender.end()
        b.request(2)
        b.wire.sent[0][1](UNKNOWN)
        await b.clock.advance(1_000)
        assert len(b.wire.sent) == 1
        assert not b.sender.connected
        assert (b.sender.queued_bytes, b.sender.waiting) == (0, 0)

    run(case())


def test_a_queue_without_a_way_waits_for_one() -> None:
    async def case() -> None:
        b = Bench()
        b.answer(1)
        await settle()
        assert (b.sender.waiting, b.sender.connected) == (1, False)
        b.sender.connect(b.wire)
        await settle()
        assert b.wire.place(0) == (1, 1, 1)

    run(case())
