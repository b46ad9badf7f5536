"""What both kinds of entities share, at the edges: time to live, refusals, keys, sizes."""

from __future__ import annotations

import pytest

from actorkalix.errors import UnknownRoute
from actorkalix.limits import Limits
from actorkalix_cluster.shardhost.behavior import BehaviorFault
from actorkalix_cluster.shardhost.messages import MessageKind
from actorkalix_storage.api import RecordKind
from tests.unit.actorkalix.engine.odd import Board, Maybe, Odd
from tests.unit.actorkalix.engine.player import Player, same


@pytest.fixture
def odd() -> Player:
    return Player(Odd)


@pytest.fixture
def board() -> Player:
    return Player(Board)


def kinds(player: Player) -> list[str]:
    return [stored.record.kind.name for stored in player.stored]


def remembered(player: Player, method: str, body: bytes = b"") -> str:
    """Number of the failure that a request under the newest key is answered with, "" for none."""
    message = player.message(MessageKind.COMMAND, method, body=body, key="k")
    failure = player.behavior.remembered(message, player.stored[-1].record.reply).failure
    return failure.number if failure else ""


class TestTimeToLive:
    """ES-54: nothing ends early, and nothing that has ended comes back."""

    @pytest.mark.parametrize(
        "microseconds, milliseconds", [(1, 1), (1_000, 1), (1_001, 2), (1_001_000, 1_001)]
    )
    def test_parts_of_a_millisecond_count_as_a_whole_one(
        self, odd: Player, microseconds: int, milliseconds: int
    ) -> None:
        odd.ok("write_for", microseconds=microseconds)
        assert odd.instance.expires_ms == odd.now_ms + milliseconds

    def test_a_command_before_the_time_finds_it_alive(self, odd: Player) -> None:
        odd.ok("write_for", microseconds=1_000_000)
        odd.now_ms += 999
        assert odd.ok("write") == 2
        assert odd.instance.expires_ms == 0, "a change without a time to live cancels it"

    def test_a_command_at_the_time_finds_it_deleted_and_says_so_in_a_record(
        self, odd: Player
    ) -> None:
        odd.ok("write_for", microseconds=1_000_000)
        odd.now_ms += 1_000
        step = odd.step(odd.message(MessageKind.COMMAND, "write"))
        assert step.reply.failure is not None and step.reply.failure.number == "AK2009"
        assert kinds(odd) == ["EVENT", "DELETED"]
        assert (odd.instance.number, odd.query("deleted"), odd.query("texts")) == (1, True, 1)
        assert odd.timer(MessageKind.EXPIRE).records == (), "it ends once"
        assert same(odd.restored(), odd.instance)

    def test_one_that_only_replies_sees_it_deleted_too(self, odd: Player) -> None:
        odd.ok("write_for", microseconds=1_000)
        odd.now_ms += 5
        assert odd.ok("recall", key="k") == "gone"
        assert kinds(odd) == ["EVENT", "DELETED", "REPLY"]
        assert odd.instance.version == 3
        assert same(odd.restored(), odd.instance)

    def test_one_that_fails_leaves_it_to_the_timer(self, odd: Player) -> None:
        odd.ok("write_for", microseconds=1_000)
        odd.now_ms += 5
        odd.refused("write", text=7)
        assert kinds(odd) == ["EVENT"]

    def test_queries_see_it_until_the_record(self, odd: Player) -> None:
        odd.ok("write_for", microseconds=1_000)
        odd.now_ms += 5
        assert odd.query("deleted") is False
        odd.timer(MessageKind.EXPIRE)
        assert odd.query("deleted") is True

    def test_kv_09_values_end_empty(self, board: Player) -> None:
        board.ok("pin_for", text="x", seconds=1)
        board.now_ms += 1_000
        assert board.command("pin", text="y").failure is not None
        assert board.query("read")["text"] == ""
        assert [stored.record.number for stored in board.stored] == [1, 2]
        assert same(board.restored(), board.instance)

    def test_a_delete_takes_its_place(self, odd: Player) -> None:
        odd.ok("last_words")
        assert kinds(odd) == ["EVENT", "DELETED"]
        assert odd.instance.expires_ms == odd.stored[-1].record.expires_ms == 0


class TestDelete:
    """ES-50, ES-51, KV-04 to KV-06."""

    def test_an_id_without_changes_can_be_deleted(self, odd: Player) -> None:
        odd.ok("vanish")
        assert (kinds(odd), odd.instance.number) == (["DELETED"], 0)
        assert odd.refused("write").number == "AK2009"
        assert odd.refused("vanish").number == "AK2009"
        assert same(odd.restored(), odd.instance)

    def test_key_and_reply_ride_in_the_delete(self, odd: Player) -> None:
        assert odd.ok("last_words", key="k") == 1
        assert [bool(stored.record.key) for stored in odd.stored] == [False, True]
        assert remembered(odd, "last_words") == ""
        assert remembered(odd, "vanish") == "AK2008"

    def test_kv_02_update_and_delete_in_one_effect(self, board: Player) -> None:
        assert board.ok("pin_and_go", text="x")["text"] == "", "the reply is of the state after it"
        assert kinds(board) == ["STATE", "DELETED"]
        assert same(board.restored(), board.instance)

    def test_kv_05_a_logical_delete_stays_writable(self, board: Player) -> None:
        board.ok("pin", text="x")
        board.ok("wipe")
        assert board.ok("pin", text="y")["text"] == "y"

    def test_kv_06_an_error_deletes_nothing(self, board: Player) -> None:
        board.ok("pin", text="x")
        assert board.refused("nearly_take_down").message == "the board stays"
        assert board.query("read")["text"] == "x"

    def test_a_cleaned_id_begins_at_one(self, odd: Player) -> None:
        """ES-53."""
        odd.ok("write", times=3)
        odd.ok("vanish")
        odd.timer(MessageKind.CLEAN)
        assert odd.instance == odd.behavior.empty("e1")
        odd.ok("write")
        assert (odd.instance.number, odd.instance.version) == (1, 1)


class TestRefusals:
    """ES-24, ES-80, ES-82."""

    def test_a_reply_function_may_refuse(self, odd: Player) -> None:
        failure = odd.refused("refuse_in_reply")
        assert (failure.number, failure.code) == ("AK2001", "out_of_range")
        assert failure.message == "1 is too much", "nobody's fault: no correlation id"
        assert odd.command("refuse_in_reply", key="k").failure is not None
        assert kinds(odd) == ["REPLY"]
        assert remembered(odd, "refuse_in_reply") == "AK2001"

    def test_apply_event_may_not(self, odd: Player) -> None:
        failure = odd.refused("refuse_in_apply")
        assert (failure.number, failure.code) == ("AK2010", "internal")
        assert "apply_event refused Vetoed (not with me)" in failure.message

    def test_errors_of_ours_that_a_handler_raises_are_unexpected(self, odd: Player) -> None:
        with pytest.raises(UnknownRoute):
            odd.command("blame_the_caller")
        assert odd.stored == []

    @pytest.mark.parametrize("key", ["", "k"])
    def test_details_that_cannot_be_encoded_store_nothing(self, odd: Player, key: str) -> None:
        with pytest.raises(BehaviorFault) as caught:
            odd.command("complain_with", key=key)
        failure = caught.value.reply.failure
        assert failure is not None and failure.number == "AK2012"
        assert odd.stored == []

    def test_the_returned_effect_counts_alone(self, odd: Player) -> None:
        assert odd.ok("change_of_mind") == 1
        assert kinds(odd) == ["EVENT"]

    def test_kv_01_none_is_refused_at_once(self, board: Player) -> None:
        with pytest.raises(ValueError, match="a state is never None"):
            board.command("forget")


class TestApplyEvent:
    """ES-15, ES-16, ES-31, ES-33, ES-34."""

    def test_it_sees_nothing_but_state_and_event(self, odd: Player) -> None:
        """ES-06: what a handler leaves on `self` reaches neither the next call nor an event."""
        odd.ok("smuggle")
        odd.ok("write")
        assert odd.instance.state.notes == ("", "", "")
        assert odd.ok("recall") == "gone"
        assert same(odd.restored(), odd.instance)

    def test_metadata_is_a_multimap_also_at_recovery(self, odd: Player) -> None:
        odd.ok("tag")
        pairs = (("Tag", "a"), ("Other", "x"), ("tag", "b"))
        assert odd.instance.state.pairs == pairs
        assert odd.restored().state.pairs == pairs

    def test_es_10_none_is_a_state_until_an_event(self) -> None:
        maybe = Player(Maybe)
        assert maybe.query("look") is None
        assert maybe.behavior.snapshot(maybe.instance).payload
        assert maybe.ok("write") == 1
        assert same(maybe.restored(), maybe.instance)

    @pytest.mark.parametrize("batches", [(4,), (3, 1), (5, 4), (1, 1, 1, 1, 1)])
    def test_es_32_es_41_numbers_go_on_after_a_snapshot(
        self, odd: Player, batches: tuple[int, ...]
    ) -> None:
        for times in batches:
            odd.ok("write", times=times)
        assert odd.snapshot is not None
        odd.instance = odd.restored()
        odd.ok("write")
        numbers = [stored.record.number for stored in odd.stored]
        assert numbers == list(range(1, sum(batches) + 2))
        assert same(odd.restored(), odd.restored(snapshot=False))


class TestSizes:
    """ES-90, ES-91."""

    def test_a_request_is_bounded_whoever_sends_it(self) -> None:
        odd = Player(Odd, limits=Limits(payload_bytes_max=100))
        failure = odd.refused("write", text="x" * 90)
        assert (failure.number, failure.http_status) == ("AK2006", 413)

    def test_all_of_a_command_is_bounded(self) -> None:
        limits = Limits(payload_bytes_max=100, state_bytes_max=200, command_bytes_max=1_000_100)
        odd = Player(Odd, limits=limits)
        assert odd.ok("write", text="x" * 70, times=2) == 2
        failure = odd.refused("write", text="x" * 70, times=13_000)
        assert failure.number == "AK2014"
        assert "changes and reply of" in failure.message

    def test_a_domain_error_is_bounded(self) -> None:
        odd = Player(Odd, limits=Limits(payload_bytes_max=100))
        assert "domain error of" in odd.refused("complain", size=101).message


class TestKeys:
    """Architecture 12: a key stands for one request, in whatever order its parts were written."""

    @pytest.mark.parametrize(
        "body, number",
        [
            (b'{"ids":["b","a"],"table":{"y":2,"x":1},"tags":{"second":"2","first":"1"}}', ""),
            (
                b'{"ids":["a","b"],"table":{"x":1,"y":3},"tags":{"first":"1","second":"2"}}',
                "AK2008",
            ),
        ],
    )
    def test_order_of_keys_and_sets_is_no_part_of_a_request(
        self, odd: Player, body: bytes, number: str
    ) -> None:
        tags, table = {"first": "1", "second": "2"}, {"x": 1, "y": 2}
        odd.ok("sort", tags=tags, table=table, ids=["a", "b"], key="k")
        assert remembered(odd, "sort", body) == number

    def test_keys_that_are_no_text_keep_their_order(self, odd: Player) -> None:
        odd.ok("count", table={"2": 1, "1": 2}, key="k")
        assert remembered(odd, "count", b'{"table":{"2":1,"1":2}}') == ""

    def test_a_query_has_no_key(self, odd: Player) -> None:
        odd.query("texts", key="k")
        assert odd.stored == []

    def test_a_key_on_a_deleted_entity_is_remembered(self, odd: Player) -> None:
        odd.ok("vanish")
        odd.ok("recall", key="k")
        assert [stored.record.kind for stored in odd.stored][-1] is RecordKind.REPLY
        assert remembered(odd, "recall") == ""
        assert same(odd.restored(), odd.instance)

    def test_what_is_remembered_names_its_error(self, odd: Player) -> None:
        odd.command("complain", size=3, key="k")
        message = odd.message(MessageKind.COMMAND, "complain", body=b'{"size":3}', key="k")
        reply = odd.behavior.remembered(message, odd.stored[-1].record.reply)
        assert reply.replayed and reply.failure is not None
        assert reply.failure.message == "xxx"
