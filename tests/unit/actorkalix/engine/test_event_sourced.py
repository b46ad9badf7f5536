"""Event sourced entities: rules ES-*, by id."""

from __future__ import annotations

import msgspec
import pytest

from actorkalix.limits import Limits
from actorkalix_cluster.shardhost.behavior import BehaviorError, BehaviorFault
from actorkalix_cluster.shardhost.messages import Encoding, Message, MessageKind
from actorkalix_storage.api import RecordKind
from tests.unit.actorkalix.engine.ledger import Book
from tests.unit.actorkalix.engine.player import Player, same


@pytest.fixture
def book() -> Player:
    return Player(Book)


def test_es_03_nothing_is_stored_until_the_first_event(book: Player) -> None:
    assert book.query("total") == 0
    assert book.ok("greet") == "hello e1 0"
    assert book.stored == []


def test_es_16_es_32_one_call_and_one_number_per_event(book: Player) -> None:
    assert book.ok("add_twice", amount=5) == 10
    assert [stored.record.number for stored in book.stored] == [1, 2]
    assert book.instance.state.seen == (1, 2)
    assert book.ok("add", amount=1) == 11
    assert book.instance.state.seen == (1, 2, 3)


def test_es_21_a_batch_is_one_tuple_of_records(book: Player) -> None:
    step = book.step(book.message(MessageKind.COMMAND, "add_twice", arguments={"amount": 5}))
    assert [record.kind for record in step.records] == [RecordKind.EVENT, RecordKind.EVENT]


def test_es_22_cx_03_reply_is_of_the_new_state(book: Player) -> None:
    book.ok("add", amount=2)
    assert book.ok("add", amount=3) == 5


def test_es_24_es_80_domain_errors_persist_nothing_and_keep_type_and_fields(book: Player) -> None:
    failure = book.refused("add", amount=-1)
    assert (failure.number, failure.code, failure.message) == (
        "AK2001",
        "failed_precondition",
        "negative",
    )
    assert msgspec.json.decode(failure.details) == [-1]
    raised = book.refused("add", amount=1007)
    assert (raised.type, raised.code) == ("TooMuch", "out_of_range")
    assert msgspec.json.decode(raised.fields) == {"above": 7}


def test_es_25_persisting_nothing_is_a_plain_reply(book: Player) -> None:
    assert book.ok("nothing") == 0
    assert book.stored == []


def test_es_17_an_event_without_a_case_fails_the_command(book: Player) -> None:
    failure = book.refused("fall_through")
    assert failure.code == "internal"
    assert "apply_event returned None for Closed" in failure.message
    assert "cid-1" in failure.message


def test_es_33_es_34_event_metadata_comes_back_live_and_at_replay(book: Player) -> None:
    book.ok("note", text="first")
    assert book.instance.state.notes == ("first",)
    assert same(book.restored(), book.instance)


def test_es_40_es_41_snapshot_and_later_events_equal_a_full_replay(book: Player) -> None:
    for amount in range(8):
        book.ok("add", amount=amount)
    assert book.snapshot is not None and book.snapshot.number == 6
    assert len(book.history().records) == 2
    assert same(book.restored(), book.restored(snapshot=False))
    assert same(book.restored(), book.instance)


def test_es_50_es_51_deleted_is_readable_and_takes_no_changes(book: Player) -> None:
    book.ok("add", amount=4)
    assert book.ok("close") is None
    assert book.instance.number == 2, "a delete is no event"
    assert book.query("total") == 4
    assert book.query("who").split()[2] == "True"
    assert book.refused("add", amount=1).number == "AK2009"
    assert same(book.restored(), book.instance)


def test_es_52_es_53_cleaned_ids_begin_anew(book: Player) -> None:
    book.ok("add", amount=4)
    assert book.timer(MessageKind.CLEAN).records == (), "what is alive is not cleaned"
    book.ok("close")
    step = book.timer(MessageKind.CLEAN)
    assert [record.kind for record in step.records] == [RecordKind.CLEANED]
    assert step.forget
    assert book.instance == book.behavior.empty("e1")
    assert book.timer(MessageKind.CLEAN).records == ()


def test_es_54_expiry_counts_from_the_last_event_and_is_cancelled_by_one_without(
    book: Player,
) -> None:
    book.ok("lend", amount=1, seconds=10)
    assert book.stored[-1].record.expires_ms == book.now_ms + 10_000
    assert book.timer(MessageKind.EXPIRE, after_ms=9_999).records == ()
    book.ok("lend", amount=1, seconds=10)
    assert book.timer(MessageKind.EXPIRE, after_ms=9_999).records == ()
    book.ok("add", amount=1)
    assert book.timer(MessageKind.EXPIRE, after_ms=60_000).records == ()
    book.ok("lend", amount=1, seconds=1)
    step = book.timer(MessageKind.EXPIRE, after_ms=1_000)
    assert [record.kind for record in step.records] == [RecordKind.DELETED]
    assert book.refused("add", amount=1).number == "AK2009"
    assert book.timer(MessageKind.EXPIRE, after_ms=1).records == ()


def test_es_30_context_of_commands(book: Player) -> None:
    book.ok("add", amount=1)
    assert book.ok("greet") == "hello e1 1"
    assert book.query("who", metadata=(("a", "x"), ("A", "y"))) == "e1 who False x"


def test_es_11_state_only_exists_while_a_handler_runs() -> None:
    with pytest.raises(RuntimeError, match="state"):
        _ = Book().state


def test_es_60_a_query_that_persists_is_refused_by_name(book: Player) -> None:
    failure = book.refused("sly")
    assert (failure.number, failure.code) == ("AK2011", "internal")
    assert "Book.sly is a query" in failure.message


def test_a_handler_without_an_effect_is_named_with_its_way_out(book: Player) -> None:
    failure = book.refused("unfinished")
    assert failure.number == "AK2011"
    assert ".then_reply" in failure.message


def test_an_event_that_cannot_be_encoded_stores_nothing(book: Player) -> None:
    failure = book.refused("huge")
    assert (failure.number, failure.code) == ("AK2012", "internal")
    assert book.ok("add", amount=1) == 1


@pytest.mark.parametrize("method", ["crash", "crash_in_reply"])
def test_es_82_unexpected_exceptions_pass_through_and_change_nothing(
    book: Player, method: str
) -> None:
    before = book.instance
    with pytest.raises((RuntimeError, ZeroDivisionError)):
        book.command(method)
    assert book.instance is before
    assert book.stored == []


def test_es_85_undecodable_payload_names_the_field(book: Player) -> None:
    failure = book.refused("add", amount="five")
    assert (failure.number, failure.code) == ("AK2002", "invalid_argument")
    assert "amount" in failure.message


def test_unknown_handler(book: Player) -> None:
    assert book.refused("nope").number == "AK2003"


def test_es_90_sizes_are_bounded() -> None:
    book = Player(Book, limits=Limits(event_bytes_max=200, payload_bytes_max=500))
    assert "event of" in book.refused("close", why="x" * 300).message
    book = Player(Book, limits=Limits(payload_bytes_max=10))
    failure = book.refused("greet")
    assert (failure.number, failure.code) == ("AK2014", "internal")
    assert "reply of 12 bytes" in failure.message


def test_a_fault_is_logged_by_the_host_a_refusal_is_not(book: Player) -> None:
    with pytest.raises(BehaviorFault):
        book.command("unfinished")
    with pytest.raises(BehaviorError) as refused:
        book.command("add", amount="five")
    assert not isinstance(refused.value, BehaviorFault)


def test_es_18_unreadable_events_name_component_id_and_number(book: Player) -> None:
    book.ok("add", amount=1)
    book.ok("add", amount=2)
    broken = msgspec.structs.replace(
        book.stored[1].record, payload=msgspec.msgpack.encode(["Gone", 1, {}, None])
    )
    book.stored[1] = msgspec.structs.replace(book.stored[1], record=broken)
    with pytest.raises(BehaviorError) as error:
        book.restored()
    failure = error.value.reply.failure
    assert failure is not None and failure.number == "AK4002"
    assert "book 'e1', event 2" in failure.message and "Gone" in failure.message


class TestIdempotencyKeys:
    """Architecture 12."""

    def test_key_and_reply_ride_in_the_last_record(self, book: Player) -> None:
        book.command("add_twice", amount=5, key="k")
        assert [bool(stored.record.key) for stored in book.stored] == [False, True]

    @pytest.mark.parametrize("accept", [Encoding.JSON, Encoding.MSGPACK])
    def test_the_stored_reply_is_answered_in_the_callers_encoding(
        self, book: Player, accept: Encoding
    ) -> None:
        book.command("greet", key="k")
        assert [stored.record.kind for stored in book.stored] == [RecordKind.REPLY]
        again = book.message(MessageKind.COMMAND, "greet", key="k", accept=accept)
        reply = book.behavior.remembered(again, book.stored[-1].record.reply)
        decode = msgspec.json.decode if accept is Encoding.JSON else msgspec.msgpack.decode
        assert decode(reply.payload) == "hello e1 0"
        assert reply.replayed and reply.metadata == (("x-mood", "fine"),)

    def test_domain_errors_are_stored_others_are_not(self, book: Player) -> None:
        assert book.command("add", amount=-1, key="k").failure is not None
        assert len(book.stored) == 1
        again = book.message(MessageKind.COMMAND, "add", arguments={"amount": -1}, key="k")
        failure = book.behavior.remembered(again, book.stored[0].record.reply).failure
        assert failure is not None and failure.message == "negative"
        with pytest.raises(BehaviorError):
            book.command("add", amount="five", key="k2")
        assert len(book.stored) == 1

    def test_another_request_under_the_key_is_refused_spacing_is_not(self, book: Player) -> None:
        book.command("add", amount=1, key="k")
        reply = book.stored[0].record.reply

        def status(method: str, body: bytes) -> str:
            message = Message(MessageKind.COMMAND, "book", "e1", method, body, key="k")
            failure = book.behavior.remembered(message, reply).failure
            return failure.number if failure else ""

        assert status("add", b' { "amount" : 1 } ') == ""
        assert status("add", b'{"amount":2}') == "AK2008"
        assert status("add_twice", b'{"amount":1}') == "AK2008"
