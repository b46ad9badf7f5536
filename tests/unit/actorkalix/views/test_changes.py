"""From stored records to what handlers get."""

from __future__ import annotations

import pytest

from actorkalix.describe.descriptors import TableDescriptor, described
from actorkalix.errors import StoredDataUnreadable
from actorkalix.views.changes import EntityReader, LaterMetadata, TopicReader, reader_of
from tests.unit.actorkalix.views.shop import Added, Carts, Customer, Log, Visit


def table_of(name: str) -> TableDescriptor:
    component = described(Carts)
    assert component is not None
    assert component.view is not None
    return component.view.tables[name]


def test_events_are_read_with_their_handlers() -> None:
    reader, log = reader_of(table_of("carts")), Log()
    assert isinstance(reader, EntityReader)
    assert (reader.component, reader.prefix) == ("cart", "")
    assert reader.is_gapless
    log.add("a", 3)
    taken = reader.read(log.entries[0])
    assert taken.value == Added(3)
    assert taken.handler is not None
    assert taken.handler.name == "on_cart"
    assert reader.subject(log.entries[0]) == "a"


def test_states_are_read_and_may_leave_numbers_out() -> None:
    reader, log = reader_of(table_of("customers")), Log()
    log.set("x", "Ulm")
    assert reader.read(log.entries[0]).value == Customer("X", "Ulm")
    assert not reader.is_gapless
    assert reader.cleans


def test_messages_are_read_as_what_the_handler_takes() -> None:
    reader, log = reader_of(table_of("visits")), Log()
    assert isinstance(reader, TopicReader)
    assert reader.prefix == "visits/"
    log.visit("ann", "home")
    taken = reader.read(log.entries[0])
    assert taken.value == Visit("home")
    assert (taken.context.subject, taken.context.name) == ("ann", "Visit")
    assert reader.subject(log.entries[0]) == "ann"
    assert not reader.cleans


def test_what_is_no_message_is_said_so() -> None:
    reader, log = reader_of(table_of("visits")), Log()
    log.unreadable("a")
    assert reader.subject(log.entries[0]) == ""
    with pytest.raises(StoredDataUnreadable):
        reader.read(log.entries[0])


def test_metadata_are_made_when_they_are_looked_at() -> None:
    log = Log()
    log.add("a", 3)
    made = LaterMetadata("cart", log.entries[0], None)
    assert made["ce-source"] == "cart"
    assert made["ce-sequence"] == "1"
    assert made["ce-type"] == "Added"
    assert made.get("ce-time") == "2023-11-14T22:13:20.001Z"
    assert not hasattr(made, "anything_else")
