"""A resident answers whatever the user's code does, and keeps what may still be asked for."""

from __future__ import annotations

import logging

import pytest

from actorkalix_cluster.shardhost.elsewhere import (
    Answer,
    Load,
    Loaded,
    Raised,
    Ran,
    Refused,
    Request,
    Run,
    Shoot,
    Shot,
    answer_in,
    packed,
)
from actorkalix_cluster.shardhost.messages import Message, MessageKind
from actorkalix_cluster.shardhost.resident import Resident
from tests.unit.cluster.shardhost.counter import COUNTER, CounterBehavior


class Asked:
    """A resident and its behavior."""

    def __init__(self, entity: str = "a") -> None:
        self.behavior = CounterBehavior()
        self.resident = Resident({COUNTER: self.behavior})
        self.entity = entity
        assert self.ask(Load(COUNTER, entity, None)) == Loaded(0)

    def ask(self, request: Request) -> Answer:
        """The answer."""
        return answer_in(self.resident.answer(packed(request)))

    def run(self, at: int, method: str, payload: str = "", landed: int = 0) -> Answer:
        """The answer to a message."""
        message = Message(
            MessageKind.COMMAND, COUNTER, self.entity, method, payload.encode(), correlation_id="c1"
        )
        return self.ask(Run(at, landed, message, 1_000))

    def total(self, at: int, landed: int = 0) -> int:
        """Of an instance."""
        ran = self.run(at, "tell", landed=landed)
        assert isinstance(ran, Ran)
        assert not ran.records
        return int(ran.reply.payload)


def test_each_number_is_an_instance_until_a_newer_one_has_landed() -> None:
    asked = Asked()
    first, second = asked.run(0, "add", "5"), asked.run(1, "add_each", "1 2")
    assert isinstance(first, Ran)
    assert isinstance(second, Ran)
    assert (first.version, second.version) == (1, 3)
    assert [asked.total(at) for at in (0, 1, 2)] == [0, 5, 8]
    assert asked.total(2, landed=2) == 8
    assert isinstance(asked.run(1, "tell", landed=2), Raised)


def test_a_refusal_changes_nothing_and_a_fault_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    asked = Asked()
    asked.run(0, "add", "5")
    assert isinstance(asked.run(1, "refuse"), Refused)
    assert not caplog.records
    assert isinstance(asked.run(1, "fault"), Refused)
    assert "the cause" in caplog.text
    assert asked.total(1) == 5


@pytest.mark.parametrize("error", [ValueError("no"), SystemExit(1), KeyboardInterrupt()])
def test_what_is_raised_is_logged_here_and_costs_the_instances(
    error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    asked = Asked()
    asked.run(0, "add", "5")

    def during() -> None:
        raise error

    asked.behavior.during = during
    raised = asked.run(1, "add", "1")
    assert isinstance(raised, Raised)
    assert raised.text.startswith(type(error).__name__)
    assert "counter 'a'.add failed, correlation id c1" in caplog.text
    asked.behavior.during = int
    assert isinstance(asked.run(1, "tell"), Raised)
    assert asked.ask(Load(COUNTER, "a", None)) == Loaded(0)
    assert asked.total(0) == 0


def test_a_snapshot_is_made_once_of_the_newest_for_which_one_is_due() -> None:
    asked = Asked()
    ran = asked.run(0, "add_each", "1 1 1 1 1")
    assert isinstance(ran, Ran)
    assert ran.snapshot_due
    asked.run(1, "add", "1", landed=1)
    asked.total(2, landed=2)  # the instance itself is not kept any more
    shot = asked.ask(Shoot(1))
    assert isinstance(shot, Shot)
    assert shot.snapshot is not None
    assert shot.snapshot.payload == b"5"
    assert asked.ask(Shoot(1)) == Shot(None)
    assert asked.ask(Shoot(7)) == Shot(None)


def test_a_snapshot_that_cannot_be_made_costs_a_log_line(caplog: pytest.LogCaptureFixture) -> None:
    asked = Asked("no-snapshot")
    asked.run(0, "add_each", "1 1 1 1 1")
    with caplog.at_level(logging.ERROR):
        assert asked.ask(Shoot(1)) == Shot(None)
    assert "no snapshot of counter" in caplog.text
    assert asked.total(1) == 5


def test_another_version_is_answered_too() -> None:
    raised = answer_in(Asked().resident.answer(b"\x09"))
    assert isinstance(raised, Raised)
    assert "protocol" in raised.text
