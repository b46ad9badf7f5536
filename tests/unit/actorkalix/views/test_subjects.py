"""Tallies of what became of records."""

from __future__ import annotations

from actorkalix.views.subjects import Subject, Tally


def test_tallies_add_up() -> None:
    all_, some = Tally(), Tally()
    some.handled, some.duplicates, some.gaps, some.refused, some.unseen_ends = 1, 2, 3, 4, 5
    all_.add(some)
    all_.add(some)
    found = (all_.handled, all_.duplicates, all_.gaps, all_.refused, all_.unseen_ends)
    assert found == (2, 4, 6, 8, 10)


def test_a_new_subject_has_nothing() -> None:
    subject = Subject("a", 3)
    assert (subject.name, subject.shard, subject.number) == ("a", 3, 0)
    assert (subject.stored, subject.row, subject.held) == (None, None, None)
    assert not (subject.changed or subject.known or subject.gone)
