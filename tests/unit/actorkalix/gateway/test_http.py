"""The endpoint: what becomes a message, what becomes a problem document (RT-07, RT-35, RT-36)."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actorkalix.gateway import tokens
from actorkalix.gateway.http import http_app
from actorkalix.limits import Limits
from actorkalix_cluster.shardhost.messages import Encoding, MessageKind, Reply
from tests.unit.actorkalix.gateway.sample import (
    ADD,
    PEN,
    SHOP,
    Answers,
    Response,
    fetch,
    is_problem,
    one,
    shop,
)


def test_a_command_becomes_a_message_and_its_reply_a_response() -> None:
    headers: dict[str, str | bytes] = {
        "X-Request-Id": "r-1",
        "Idempotency-Key": "kä",
        "X-Meta-Tenant": "nörd",
        "X-Other": "no",
    }
    response, answers = one("POST", ADD, PEN, headers)
    [message] = answers.asked
    assert (message.kind, message.component, message.entity) == (
        MessageKind.COMMAND,
        "shopping-cart",
        "c1",
    )
    assert (message.method, message.payload, message.encoding) == ("add_item", PEN, Encoding.JSON)
    assert message.accept is Encoding.JSON
    assert (message.key, message.correlation_id) == ("kä", "r-1")
    assert message.metadata == (("tenant", "nörd"),)
    assert message.deadline_ms > 1_700_000_000_000
    assert (response.status, response.body) == (200, b'{"ok":true}')
    assert response.headers["content-type"] == "application/json"
    assert response.headers["content-length"] == "11"
    assert response.headers["x-request-id"] == "r-1"
    assert tokens.decode(response.headers["x-consistency-token"]).marks == (
        tokens.Mark(7, 2**63, 3, 77),
    )
    assert "idempotent-replayed" not in response.headers


def test_a_query_has_a_token_too() -> None:
    response, answers = one("GET", "/carts/c1")
    assert answers.asked[0].kind is MessageKind.QUERY
    assert "x-consistency-token" in response.headers


def test_rt_14_unknown_path_and_wrong_verb() -> None:
    response, _ = one("POST", "/shopping-cart/c1/add-itm", PEN)
    assert "add-item" in is_problem(response, 404, "AK2003")["detail"]
    response, _ = one("DELETE", ADD)
    is_problem(response, 405, "AK2004")
    assert response.headers["allow"] == "OPTIONS, POST"


def test_options_tells_the_verbs() -> None:
    response, answers = one("OPTIONS", "/carts/c1")
    assert (response.status, response.body) == (204, b"")
    assert response.headers["allow"] == "GET, HEAD, OPTIONS"
    assert "content-type" not in response.headers
    assert answers.asked == []


def test_no_body_needs_no_content_type() -> None:
    response, answers = one("POST", "/carts/c1/checkout")
    assert response.status == 200
    assert answers.asked[0].payload == b""


def test_bodies_have_a_limit_by_length_and_by_count() -> None:
    limits = Limits(payload_bytes_max=100)
    response, answers = one("POST", ADD, b" " * 101, limits=limits)
    detail = is_problem(response, 413, "AK2006")["detail"]
    assert "101" in detail
    assert "payload_bytes_max is 100" in detail
    response, _ = one("POST", ADD, b" " * 101, {"content-length": "5"}, limits=limits)
    is_problem(response, 413, "AK2006")
    assert answers.asked == []
    response, _ = one("POST", ADD, b" " * 100, limits=limits)
    assert response.status == 200


def test_body_in_pieces_and_caller_gone() -> None:
    async def run() -> None:
        answers = Answers()
        events = [
            {"type": "http.request", "body": PEN[:5], "more_body": True},
            {"type": "http.request", "body": PEN[5:], "more_body": False},
        ]

        async def pieces() -> dict[str, Any]:
            return events.pop(0)

        json: dict[str, str | bytes] = {"content-type": "application/json"}
        response = await fetch(shop(answers), "POST", ADD, headers=json, receive=pieces)
        assert response.status == 200
        assert answers.asked[0].payload == PEN

        async def gone() -> dict[str, Any]:
            return {"type": "http.disconnect"}

        response = await fetch(shop(answers), "POST", ADD, receive=gone)
        assert response.status == 0
        assert len(answers.asked) == 1

    asyncio.run(run())


def test_slow_body_is_408_and_closes() -> None:
    async def run() -> Response:
        async def never() -> dict[str, Any]:
            await asyncio.Event().wait()
            raise AssertionError

        limits = Limits(body_timeout=timedelta(milliseconds=1))
        return await fetch(shop(Answers(), limits=limits), "POST", ADD, PEN, receive=never)

    response = asyncio.run(run())
    assert "body_timeout" in is_problem(response, 408, "AK2013")["detail"]
    assert response.headers["connection"] == "close"


def test_no_answer_in_time_is_504_unknown() -> None:
    async def run() -> Response:
        limits = Limits(ask_timeout=timedelta(hours=1))
        app = shop(Answers(held=True), limits=limits)
        return await fetch(app, "POST", ADD, PEN, {"x-timeout-ms": "1"})

    problem = is_problem(asyncio.run(run()), 504, "AK3101")
    assert problem["outcome"] == "unknown"
    assert "1 ms" in problem["detail"]


def test_who_prefers_not_to_wait_is_told_that_it_is_queued() -> None:
    headers: dict[str, str | bytes] = {"prefer": "respond-async", "x-request-id": "r1"}
    response, answers = one("POST", ADD, PEN, headers, reply=Reply())
    assert response.status == 202
    assert response.headers["preference-applied"] == "respond-async"
    assert response.headers["content-length"] == "0"
    (order,) = answers.asked
    assert order.component == "~sending"
    assert order.correlation_id == "r1"


def test_not_ready_is_503() -> None:
    async def run() -> Response:
        return await fetch(shop(Answers(), ready=lambda: False), "POST", ADD, PEN)

    response = asyncio.run(run())
    is_problem(response, 503, "AK3002")
    assert response.headers["retry-after"] == "1"


def test_rt_07_a_bug_is_500_with_its_correlation_id_alone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def run() -> Response:
        answers = Answers()
        answers.raises = RuntimeError("secret")
        return await fetch(shop(answers), "POST", ADD, PEN, {"x-request-id": "r-9"})

    with caplog.at_level(logging.ERROR):
        response = asyncio.run(run())
    is_problem(response, 500, "AK9001")
    assert b"secret" not in response.body
    assert "r-9" in caplog.text
    assert "secret" in caplog.text


def test_a_cancelled_request_says_that_its_outcome_is_unknown() -> None:
    async def run() -> Response:
        answers = Answers(held=True)
        sent: list[Any] = []

        async def send_kept(app: Any) -> None:
            sent.append(await fetch(app, "POST", ADD, PEN))

        async def swallowing(scope: Any, receive: Any, send: Any) -> None:
            try:
                await shop(answers)(scope, receive, send)
            except asyncio.CancelledError:
                cancelled.set()

        cancelled = asyncio.Event()
        task = asyncio.create_task(send_kept(swallowing))
        await answers.arrived.wait()
        task.cancel()
        await task
        assert cancelled.is_set()
        response: Response = sent[0]
        return response

    assert is_problem(asyncio.run(run()), 503, "AK3101")["outcome"] == "unknown"


def test_pages_come_before_routes() -> None:
    async def page(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": scope["path"].encode()})

    async def run() -> Response:
        pages = {"/carts/all": page}
        app = http_app(SHOP, Answers(), limits=Limits(), ready=lambda: False, pages=pages)
        assert not app.takes("GET", b"/carts/%61ll?page=2")
        assert app.takes("GET", b"/carts/c1")
        return await fetch(app, "GET", "/carts/all")

    assert asyncio.run(run()).body == b"/carts/all"


def test_lifespan_passes_and_websockets_do_not() -> None:
    async def run() -> list[str]:
        sent: list[str] = []
        events = iter(["lifespan.startup", "lifespan.shutdown"])

        async def receive() -> Any:
            return {"type": next(events)}

        async def send(event: Any) -> None:
            sent.append(event["type"])

        app = shop(Answers())
        await app({"type": "lifespan"}, receive, send)
        await app({"type": "websocket"}, receive, send)
        return sent

    assert asyncio.run(run()) == [
        "lifespan.startup.complete",
        "lifespan.shutdown.complete",
        "websocket.close",
    ]


HEADERS = st.dictionaries(
    st.sampled_from(
        [
            "content-type",
            "content-length",
            "idempotency-key",
            "x-request-id",
            "x-timeout-ms",
            "x-meta-a",
            "x-consistency-token",
            "accept",
        ]
    ),
    st.one_of(st.sampled_from([b"application/json", b"5"]), st.binary(max_size=150)),
)
PATHS = st.one_of(
    st.binary(max_size=60).map(lambda path: b"/" + path),
    st.sampled_from([b"/carts/", b"/shopping-cart/"]).flatmap(
        lambda start: st.binary(max_size=300).map(lambda rest: start + rest)
    ),
    st.tuples(
        st.sampled_from([b"c1", b"%00", b"a" * 257, b"%f", b""]),
        st.sampled_from([b"add-item", b"get-cart", b"set-quantity", b"find?a=%"]),
    ).map(lambda pair: b"/shopping-cart/%b/%b" % pair),
    st.binary(max_size=40).map(lambda query: b"/carts/c1/items/pen?" + query.replace(b"#", b"")),
)


@given(
    st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "BREW"]),
    PATHS,
    st.one_of(st.binary(max_size=50), st.sampled_from([PEN, b"{}", b"null", b"[1,2"])),
    HEADERS,
)
def test_nothing_that_comes_in_is_a_500(
    verb: str, target: bytes, body: bytes, headers: dict[str, bytes]
) -> None:
    response, _ = one(verb, target, body, dict(headers))
    assert response.status < 500
    if response.status >= 400:
        assert response.json["detail"]
