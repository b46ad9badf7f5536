"""Rules over deliveries, each on evidence that keeps it and on evidence that does not."""

from __future__ import annotations

from typing import Any

import msgspec

from actorkalix.testkit.checking import Caused, Delivery, Evidence, Place, Wanted
from actorkalix.testkit.checking.delivering import (
    delivered_at_last,
    delivered_in_order,
    delivered_when_durable,
    effects_happen_once,
)
from tests.unit.actorkalix.testkit.checking.records import said, stored
from tests.unit.actorkalix.testkit.checking.samples import op


def place(offset: int) -> Place:
    """Of a record that `stored` makes."""
    return Place(1, 9, 1, offset)


def handed(*offsets: int, at: int, **more: Any) -> Delivery:
    """Records at these offsets are handed to "c" at a time, and handled 5 later."""
    delivery = Delivery(
        consumer="c",
        writer="host 0.1",
        places=tuple(map(place, offsets)),
        durable=True,
        began=at,
        ended=at + 5,
        outcome="handled",
    )
    return msgspec.structs.replace(delivery, **more)


def evidence(*deliveries: Delivery, **more: Any) -> Evidence:
    """Three records of one subject, all of which "c" wants."""
    made = Evidence(
        operations=(op(1, "a", (0, 1), "add", 1),),
        stored=tuple(stored(number) for number in (1, 2, 3)),
        deliveries=deliveries,
        wanted=tuple(Wanted("c", place(number)) for number in (1, 2, 3)),
        at_rest=True,
    )
    return msgspec.structs.replace(made, **more)


GOOD = (handed(1, at=10), handed(2, at=20), handed(3, at=30))


def test_what_goes_as_it_should_is_no_finding() -> None:
    again = handed(1, at=40, writer="host 0.2")
    failed = handed(2, at=15, outcome="failed", failure="no")
    for good in (GOOD, (GOOD[0], failed, *GOOD[1:], again), (handed(1, 2, 3, at=1),)):
        found = evidence(*good)
        assert said(delivered_when_durable, found) == []
        assert said(delivered_in_order, found) == []
        assert said(delivered_at_last, found) == []


def test_nothing_is_handed_over_early() -> None:
    (text,) = said(delivered_when_durable, evidence(handed(1, at=1, durable=False)))
    assert "before it was on disk" in text
    (text,) = said(delivered_when_durable, evidence(handed(4, at=1)))
    assert "shard 1 epoch 1 offset 4, where nothing is stored at the end" in text


def test_a_record_waits_for_those_before_it() -> None:
    (text,) = said(delivered_in_order, evidence(handed(2, at=1)))
    assert "was handed c 'x' record 2" in text
    assert "before c 'x' record 1 (shard 1 epoch 1 offset 1) was handled" in text
    failed = handed(1, at=1, outcome="failed")
    assert len(said(delivered_in_order, evidence(failed, handed(2, at=10)))) == 1
    late = handed(1, at=8, writer="host 0.2")
    assert len(said(delivered_in_order, evidence(handed(2, at=1), late))) == 1


def test_a_subject_has_one_handler_at_a_time_in_a_process() -> None:
    twice = (handed(1, at=10), handed(1, at=12))
    (text,) = said(delivered_in_order, evidence(*twice))
    assert "while it handled" in text
    other = msgspec.structs.replace(twice[1], writer="host 1.1")
    assert said(delivered_in_order, evidence(twice[0], other)) == []


def test_everything_is_handled_in_the_end() -> None:
    texts = said(delivered_at_last, evidence(*GOOD[:2]))
    assert texts == [
        "c has never handled c 'x' record 3 (shard 1 epoch 1 offset 3), which it wants"
    ]
    assert said(delivered_at_last, evidence(*GOOD[:2], at_rest=False)) == []


def test_what_a_record_causes_happens_once() -> None:
    first, again = (op(n, f"h{n}", (n, n + 1), "add", 1, key=f"k{n}") for n in (1, 2))
    more = {
        "operations": (first, again),
        "caused": (Caused(1, 0, 0), Caused(2, 1, 0)),
        "wanted": (Wanted("c", place(3), 1),),
    }
    twice = evidence(handed(3, at=1), handed(3, at=10), **more)
    (text,) = said(effects_happen_once, twice)
    assert "add for shard 1 epoch 1 offset 3 at c was executed 2 times" in text
    once = msgspec.structs.replace(twice, stored=(stored(1), stored(3)))
    assert said(effects_happen_once, once) == []
    other = msgspec.structs.replace(twice, caused=(Caused(1, 0, 0), Caused(2, 1, 1)))
    assert said(effects_happen_once, other) == [], "another call of the handler"


def test_a_message_of_a_handled_record_has_an_answer() -> None:
    unknown = op(1, "h", (1, None), "add", 1, outcome="unknown", key="k")
    found = evidence(
        handed(3, at=1),
        operations=(unknown,),
        caused=(Caused(1, 0, 0),),
        wanted=(Wanted("c", place(3), 1),),
    )
    (text,) = said(effects_happen_once, found)
    assert "0 of its 1 messages have an answer" in text
