"""What is published, its attributes, and ids that are derived."""

from __future__ import annotations

import copy
import pickle
from dataclasses import dataclass

import pytest

from actorkalix import Action, Metadata, handler, publish, topic, type_name
from actorkalix.describe import descriptor_of
from actorkalix.engine.publishing import Publisher, attributes, topic_message
from actorkalix.engine.topic import TOPIC, read_message
from actorkalix.errors import InvalidIdempotencyKey, NotEncodable, ResultTooLarge
from actorkalix.limits import Limits
from actorkalix.model.metadata import NO_METADATA
from actorkalix_cluster.shardhost.messages import Message, MessageKind


@type_name("note", version=2)
@dataclass(frozen=True)
class Note:
    text: str


class Writer(Action, id="writer", runs="inline"):
    @handler
    @publish(topic("notes"))
    @publish(topic("copies"))
    async def write(self) -> Note:
        return Note("")

    @handler
    async def silent(self) -> Note:
        return Note("")


WRITE, SILENT = (descriptor_of(Writer).handlers[name] for name in ("write", "silent"))
publisher = Publisher("writer", Limits())


def cause(key: str = "") -> Message:
    metadata = (("traceparent", "00-1"), ("private", "x"))
    return Message(
        *(MessageKind.COMMAND, "writer", "", "write"),
        key=key,
        metadata=metadata,
        correlation_id="c",
        depth=3,
    )


def test_attributes_go_to_their_fields_and_others_stay() -> None:
    given = Metadata(
        {
            "CE-Subject": "n1",
            "ce_id": "m1",
            "ce-specversion": "0.3",
            "ce_time": "then",
            "Content-Type": "application/x",
            "Shop": "north",
        }
    )
    made = topic_message(Note("a"), given, subject="other", source="here", id="other")
    assert (made.type, made.subject, made.id) == ("note", "n1", "m1")
    assert (made.source, made.content_type) == ("here", "application/x")
    assert made.metadata == (("ce-time", "then"), ("Shop", "north"))
    assert attributes("notes/1", 7, 0, made).pairs == (
        ("ce-specversion", "1.0"),
        ("ce-id", "m1"),
        ("ce-source", "here"),
        ("ce-type", "note"),
        ("ce-subject", "n1"),
        ("content-type", "application/x"),
        ("ce-time", "then"),
        ("Shop", "north"),
    )


def test_a_message_that_says_nothing_has_an_id_and_a_time() -> None:
    event = attributes("notes/1", 7, 1_700_000_000_123, topic_message(b""))
    assert event["ce-id"] == "notes/1-7"
    assert event["ce-time"] == "2023-11-14T22:13:20.123Z"
    assert "ce-subject" not in event


def test_ids_of_what_is_published_are_derived() -> None:
    first = publisher.of(WRITE, Note("a"), NO_METADATA, cause("k1"), "s")
    assert first == publisher.of(WRITE, Note("a"), NO_METADATA, cause("k1"), "s")
    other = publisher.of(WRITE, Note("a"), NO_METADATA, cause("k2"), "s")
    assert len({one.key for one in (*first, *other)}) == 4
    assert {one.entity.partition("/")[0] for one in first} == {"notes", "copies"}
    for one in first:
        made = read_message(one.payload)
        assert (one.component, one.key, one.correlation_id, one.depth) == (TOPIC, made.id, "c", 3)
        assert (made.subject, made.source) == ("s", "writer")
        assert made.metadata == (("traceparent", "00-1"),)
    unkeyed = publisher.of(WRITE, Note("a"), NO_METADATA, cause())
    assert {one.key for one in unkeyed} == {""}


def test_nothing_to_publish() -> None:
    assert publisher.of(WRITE, None, NO_METADATA, cause()) == ()
    assert publisher.of(SILENT, Note("a"), NO_METADATA, cause()) == ()


def test_what_cannot_be_published() -> None:
    with pytest.raises(NotEncodable, match=r"what writer\.write publishes"):
        publisher.of(WRITE, object(), NO_METADATA, cause())
    with pytest.raises(ResultTooLarge, match="the limit is 1000000"):
        publisher.of(WRITE, b"x" * 1_000_000, NO_METADATA, cause())
    with pytest.raises(InvalidIdempotencyKey):
        publisher.of(WRITE, b"x", Metadata({"ce-id": "x" * 200}), cause())


def test_attributes_are_metadata_like_any_other() -> None:
    made = topic_message("note", Metadata({"ce-priority": "1"}), subject="s")
    whole = Metadata(attributes("notes/1", 7, 0, made).pairs)

    def fresh() -> Metadata:
        return attributes("notes/1", 7, 0, made)

    assert fresh() == whole
    assert hash(fresh()) == hash(whole)
    assert fresh()
    assert (len(fresh()), list(fresh())) == (len(whole), list(whole))
    assert fresh()["CE-Priority"] == "1"
    assert fresh().merge({"a": "b"}) == whole.add("a", "b")
    assert pickle.loads(pickle.dumps(fresh())) == whole
    assert copy.deepcopy(fresh()) == whole
    assert not hasattr(fresh(), "other")
