"""Value entities: rules KV-*, by id."""

from __future__ import annotations

import pytest

from actorkalix.limits import Limits
from actorkalix_cluster.shardhost.behavior import BehaviorError
from actorkalix_cluster.shardhost.messages import MessageKind
from actorkalix_storage.api import RecordKind
from tests.unit.actorkalix.engine.ledger import Profile, Settings
from tests.unit.actorkalix.engine.player import Player, same


@pytest.fixture
def profile() -> Player:
    return Player(Profile)


def test_kv_01_an_update_is_the_whole_state(profile: Player) -> None:
    assert profile.ok("paint", theme="dark") == {"theme": "dark", "tags": []}
    assert profile.ok("paint", theme="blue")["theme"] == "blue"
    assert [stored.record.number for stored in profile.stored] == [1, 2]
    assert same(profile.restored(), profile.instance)


def test_kv_04_deleted_reads_as_empty_and_takes_no_changes(profile: Player) -> None:
    profile.ok("paint", theme="dark")
    profile.ok("close")
    assert profile.query("theme") == "light"
    assert profile.refused("paint", theme="x").number == "AK2009"
    assert same(profile.restored(), profile.instance)


def test_kv_08_a_delete_is_a_numbered_change(profile: Player) -> None:
    profile.ok("paint", theme="dark")
    profile.ok("close")
    assert [(s.record.kind, s.record.number) for s in profile.stored] == [
        (RecordKind.STATE, 1),
        (RecordKind.DELETED, 2),
    ]
    profile.timer(MessageKind.CLEAN)
    assert profile.instance == profile.behavior.empty("e1")


def test_kv_09_es_54_expiry(profile: Player) -> None:
    profile.ok("lease", theme="dark", seconds=1)
    profile.timer(MessageKind.EXPIRE, after_ms=999)
    assert profile.query("theme") == "dark"
    profile.timer(MessageKind.EXPIRE, after_ms=1)
    assert profile.query("theme") == "light"
    assert same(profile.restored(), profile.instance)


def test_kv_10_states_are_bounded() -> None:
    profile = Player(Profile, limits=Limits(state_bytes_max=100))
    assert "state of" in profile.refused("paint", theme="x" * 200).message


def test_stored_states_that_do_not_fit_the_class_name_the_entity(profile: Player) -> None:
    profile.ok("paint", theme="dark")
    assert isinstance(profile.instance.state, Settings)
    other = Player(Profile)
    other.stored = [
        type(profile.stored[0])(
            0,
            profile.stored[0].position,
            (0, 0),
            1,
            1,
            type(profile.stored[0].record)(RecordKind.STATE, "settings", "e1", 1, 0, b"\x93\x01"),
        )
    ]
    with pytest.raises(BehaviorError) as error:
        other.restored()
    failure = error.value.reply.failure
    assert failure is not None and failure.number == "AK4002" and "settings 'e1'" in failure.message
