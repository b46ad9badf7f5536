"""What is carried to a service, and back."""

from __future__ import annotations

from actorkalix.model.transport import Reply, Update, update_of


def test_updates_that_are_no_rows() -> None:
    assert update_of("removed", b'{"subject":"c1"}', "m") == Update(
        "removed", subject="c1", mark="m"
    )
    assert update_of("reset", b"{}", "m") == Update("reset", mark="m")


def test_a_reply_has_a_token_only_where_there_was_one() -> None:
    reply = Reply(3)
    assert (reply.value, reply.token) == (3, "")
    assert dict(reply.metadata) == {}
