"""What a consumer has missed is told, once for each stretch."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actorkalix_cluster.shardhost.cursors import Parked
from actorkalix_cluster.shardhost.gaps import Gaps
from actorkalix_cluster.shardhost.progress import entry_of
from actorkalix_storage.api import Position, Record, RecordKind, StoredRecord
from tests.unit.cluster.shardhost.reader import Reader

EVENT, TRIMMED = RecordKind.EVENT, RecordKind.TRIMMED


def gaps() -> Gaps:
    reader = Reader("billing")
    reader.numbered = ("~topic", "orders/")
    return Gaps(reader)


def records(*payloads: bytes, entity: str = "orders/1", first: int = 11) -> list[StoredRecord]:
    """Messages that follow each other in a shard that has nothing else; from that offset on."""
    return [
        StoredRecord(
            *(0, Position(1, 1, offset), (1, offset - 1), offset - 10, 11),
            Record(EVENT, "~topic", entity, offset - 10, 0, payload),
        )
        for offset, payload in enumerate(payloads, first)
    ]


def test_nothing_is_missed_where_nothing_is_gone() -> None:
    found = gaps()
    some = records(b"1", b"2", b"3", b"4")
    found.read(0, 10, some[:2], False)
    found.read(0, 12, some[2:], True)
    assert (found.count, found.last) == (0, "")


def test_a_hole_is_told_with_its_numbers(caplog: pytest.LogCaptureFixture) -> None:
    found = gaps()
    some = records(*(b"%d" % n for n in range(1, 9)))
    found.read(0, 10, some[:2] + some[5:], True)
    assert found.count == 1
    assert found.last == "messages 3 to 5 of orders/1 were dropped before they were handled"
    assert "billing has missed something" in caplog.text
    found.read(0, 18, records(b"9", first=19), True)
    assert found.count == 1


def test_where_it_began_is_not_known() -> None:
    found = gaps()
    found.read(0, 10, records(b"5", first=15), True)
    assert found.last == "messages up to 4 of orders/1 were dropped before they were handled"


def test_who_begins_has_missed_nothing() -> None:
    found = gaps()
    found.read(0, 0, records(b"5", first=15), True)
    assert found.count == 0


def test_a_stretch_over_pages_is_told_once() -> None:
    found = gaps()
    some = records(b"1", b"", b"", b"", b"", b"6")
    found.read(0, 10, some[:3], False)
    assert found.count == 0
    found.read(0, 13, some[3:], False)
    assert (found.count, found.last[:15]) == (1, "messages 2 to 5")


def test_what_is_gone_at_the_end_is_told_too() -> None:
    found = gaps()
    found.read(0, 10, records(b"1", b"", b""), True)
    assert found.last.startswith("messages 2 to 3 of orders/1")
    trim = StoredRecord(
        0, Position(1, 1, 20), (1, 17), 8, 11, Record(TRIMMED, "~topic", "orders/1", 7, 0)
    )
    found.read(0, 13, [trim], False)
    found.end(0)
    assert found.last.startswith("messages up to 7 of orders/1")


def test_subjects_of_others_do_not_count() -> None:
    found = gaps()
    found.read(0, 10, records(b"9", first=19, entity="others/1"), True)
    assert found.count == 0
    plain = Gaps(Reader())
    plain.read(0, 10, records(b"9", first=19), True)
    assert plain.count == 0


def test_what_was_parked_may_be_gone() -> None:
    found = gaps()
    parked = Parked("~topic", "orders/1", 2, 13, 3, 0, "why")
    found.retried(parked, [entry_of(one) for one in records(b"3", first=13)])
    assert found.count == 0
    found.retried(parked, [entry_of(one) for one in records(b"6", first=16)])
    assert found.last.startswith("messages up to 5 of orders/1")
    found.retried(parked, [entry_of(one) for one in records(b"", b"4", first=13)])
    assert found.last.startswith("messages up to 3 of orders/1")
    found.retried(parked, [])
    assert found.count == 2


@given(
    st.lists(st.sampled_from(["kept", "shrunk", "gone"]), min_size=1, max_size=30),
    st.integers(1, 10),
)
def test_whatever_goes_is_told(fates: list[str], page: int) -> None:
    found = gaps()
    whole = records(*(b"" if fate == "shrunk" else b"x" for fate in fates))
    left = [one for one, fate in zip(whole, fates, strict=True) if fate != "gone"]
    after = 10
    for at in range(0, max(1, len(left)), page):
        some = left[at : at + page]
        found.read(0, after, some, at + page >= len(left))
        after = some[-1].position.offset if some else after
    ends = "".join("x" if fate == "kept" else "." for fate in fates).split("x")
    stretches = sum(1 for one in ends if one)
    # What is gone at the end without a record behind it is told when there is one.
    unseen = fates[-1] == "gone" and "shrunk" not in _last_stretch(fates)
    assert found.count == stretches - unseen


def _last_stretch(fates: list[str]) -> list[str]:
    tail: list[str] = []
    for fate in reversed(fates):
        if fate == "kept":
            break
        tail.append(fate)
    return tail
