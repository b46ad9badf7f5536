"""What headers and ids are taken, and what replies have (RT-08, RT-36)."""

from __future__ import annotations

import pytest

from actorkalix_cluster.shardhost.messages import Reply
from tests.unit.actorkalix.gateway.sample import (
    ADD,
    PEN,
    is_problem,
    one,
)


@pytest.mark.parametrize(
    "entity, said",
    [
        ("a" * 257, "257 bytes of UTF-8, the limit is 256"),
        ("%E2%82%AC" * 86, "258 bytes"),
        ("a%00b", "control"),
        ("a%0Ab", "control"),
        ("%7F", "control"),
        ("%C2%85", "control"),
        ("", "empty"),
    ],
)
def test_bad_entity_ids(entity: str, said: str) -> None:
    response, answers = one("POST", f"/shopping-cart/{entity}/add-item", PEN)
    assert said in is_problem(response, 400, "AK2005")["detail"]
    assert answers.asked == []


@pytest.mark.parametrize(
    "entity", ["a" * 256, "%E2%82%AC" * 85, "a%20b", "%2F", ".", "%F0%9F%92%A9"]
)
def test_good_entity_ids(entity: str) -> None:
    response, _ = one("POST", f"/shopping-cart/{entity}/add-item", PEN)
    assert response.status == 200


@pytest.mark.parametrize(
    "key, said",
    [(b"", "0 bytes"), (b"k" * 129, "129 bytes"), (b"\xff", "UTF-8"), (b"a\x01", "control")],
)
def test_bad_idempotency_keys(key: bytes, said: str) -> None:
    response, _ = one("POST", ADD, PEN, {"idempotency-key": key})
    assert said in is_problem(response, 400, "AK2007")["detail"]


@pytest.mark.parametrize(
    "content_type",
    ["", "text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin-1"],
)
def test_a_body_that_is_not_json_is_415(content_type: str) -> None:
    response, answers = one("POST", ADD, PEN, {"content-type": content_type})
    assert "Content-Type: application/json" in is_problem(response, 415, "AK2002")["detail"]
    assert answers.asked == []


@pytest.mark.parametrize(
    "content_type",
    ["application/json", 'Application/JSON; charset="UTF-8"', "application/merge-patch+json"],
)
def test_ways_to_say_json(content_type: str) -> None:
    response, _ = one("POST", ADD, PEN, {"content-type": content_type})
    assert response.status == 200


@pytest.mark.parametrize("given_id", [b"", b"x" * 129, b"a\tb", b"\xff", b"a\x7f"])
def test_rt_36_bad_request_ids_are_replaced(given_id: bytes) -> None:
    response, _ = one("POST", ADD, PEN, {"x-request-id": given_id})
    assert response.status == 200
    assert len(response.headers["x-request-id"]) == 32


@pytest.mark.parametrize("value", ["0", "-1", "x", "1.5", "9" * 13, ""])
def test_bad_timeouts(value: str) -> None:
    response, _ = one("POST", ADD, PEN, {"x-timeout-ms": value})
    assert "X-Timeout-Ms" in is_problem(response, 400, "AK2002")["detail"]


def test_metadata_that_is_not_utf_8() -> None:
    response, _ = one("POST", ADD, PEN, {"x-meta-a": b"\xff"})
    assert "X-Meta" in is_problem(response, 400, "AK2002")["detail"]


def test_what_components_tell_each_other_is_not_taken_from_outside() -> None:
    _, answers = one("POST", ADD, PEN, {"x-meta-ak-parent": b"{}", "x-meta-tenant": b"a"})
    assert {each.metadata for each in answers.asked} == {(("tenant", "a"),)}


def test_reply_metadata_and_replay() -> None:
    pairs = (("Tenant", "nörd"), ("X-Total", "5"), ("a b\r\n", "x\r\ny"), ("X-Request-Id", "?"))
    response, _ = one("POST", ADD, PEN, reply=Reply(b"1", metadata=pairs, replayed=True))
    assert response.headers["idempotent-replayed"] == "true"
    assert response.headers["x-meta-tenant"] == "nörd"
    assert response.headers["x-total"] == "5"
    assert response.headers["x-meta-a-b--"] == "x  y"
    assert response.headers["x-meta-x-request-id"] == "?"
    assert response.headers["x-request-id"] != "?"
