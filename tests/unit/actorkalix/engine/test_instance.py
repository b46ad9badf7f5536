"""The table of an entity's life is whole, and life follows from the instance alone."""

from __future__ import annotations

import itertools

import pytest

from actorkalix.engine.instance import TRANSITIONS, Instance, Life, Outcome, life_of
from actorkalix_cluster.shardhost.messages import MessageKind


def test_every_message_has_an_outcome_in_every_part_of_life() -> None:
    assert set(TRANSITIONS) == set(itertools.product(Life, MessageKind))


def test_queries_change_nothing_in_any_part_of_life() -> None:
    """ES-60."""
    assert {TRANSITIONS[life, MessageKind.QUERY] for life in Life} == {Outcome.READ}


def test_only_what_is_deleted_is_cleaned() -> None:
    cleaned = {life for life in Life if TRANSITIONS[life, MessageKind.CLEAN] is Outcome.CLEAN}
    assert cleaned == {Life.DELETED}


@pytest.mark.parametrize(
    "instance, life",
    [
        (Instance("e", 0), Life.NEW),
        (Instance("e", 0, version=1), Life.NEW),  # a reply remembered under a key is no change
        (Instance("e", 0, number=1, version=1), Life.ALIVE),
        (Instance("e", 0, number=1, version=2, deleted_ms=5), Life.DELETED),
        (Instance("e", 0, version=1, deleted_ms=5), Life.DELETED),
    ],
)
def test_life_follows_from_the_instance(instance: Instance, life: Life) -> None:
    assert life_of(instance) is life
