"""Bad input over real sockets: a 4xx names the field or limit, and the service goes on."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.e2e.running import Running


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with Running(tmp_path_factory.mktemp("data")) as running:
        yield running


@pytest.fixture
def client(running: Running) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=running.url, timeout=30) as client:
        yield client
        assert client.post("/bag/still-there/take", json={"token": "x"}).status_code == 200


def problem(answer: httpx.Response, status: int, number: str) -> dict[str, Any]:
    """The problem document, with what every one of them must have and must not have."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = answer.json()
    assert document["number"] == number
    assert document["status"] == status
    assert (
        document["title"] and document["detail"] and document["code"] and document["correlation_id"]
    )
    assert (
        "Traceback" not in answer.text and ".py" not in answer.text and "secret" not in answer.text
    )
    return document


TAKE = "/bag/b/take"
RESIZE = "/box/b/resize"
BODIES = [
    (TAKE, b"{", "AK2002", "JSON"),
    (TAKE, b"", "AK2002", "token"),
    (TAKE, b"{}", "AK2002", "token"),
    (TAKE, b"[]", "AK2002", "object"),
    (TAKE, b'{"token":5}', "AK2002", "token"),
    (TAKE, b'{"token":null}', "AK2002", "token"),
    (TAKE, b'{"token":"a","more":1}', "AK2002", "more"),
    (TAKE, b'{"token":"\xff"}', "AK2002", "UTF-8"),
    (RESIZE, b'{"width":NaN}', "AK2002", ""),
    (RESIZE, b'{"width":1,"ratio":1e999}', "AK2002", "ratio"),
    (RESIZE, b'{"width":99999999999999999999999999}', "AK2002", "width"),
    (RESIZE, b'{"width":1.5}', "AK2002", "width"),
    (RESIZE, b'{"width":1,"depth":2}', "AK2002", "depth"),
    (RESIZE, b'{"height":1}', "AK2002", "width"),
]


@pytest.mark.parametrize("path, body, number, named", BODIES)
def test_bad_bodies_name_the_field(
    client: httpx.Client, path: str, body: bytes, number: str, named: str
) -> None:
    answer = client.post(path, content=body, headers={"Content-Type": "application/json"})
    assert named in problem(answer, 400, number)["detail"]


@pytest.mark.parametrize(
    "path, named",
    [
        ("/bagg/b/take", "bag"),
        ("/bag/b/tak", "take"),
        ("/nowhere", ""),
        ("/bag/b", ""),
        ("/bag/b/take/more", ""),
    ],
)
def test_unknown_names_are_404_and_suggest(client: httpx.Client, path: str, named: str) -> None:
    assert named in problem(client.post(path, json={}), 404, "AK2003")["detail"]


def test_wrong_method_is_405_and_says_which(client: httpx.Client) -> None:
    answer = client.get(TAKE)
    problem(answer, 405, "AK2004")
    assert "POST" in answer.headers["allow"]


@pytest.mark.parametrize(
    "entity",
    ["x" * 257, "a%00b", "a%1Fb", "a%7Fb", "a%C2%85b"],
    ids=["257", "nul", "us", "del", "nel"],
)
def test_bad_entity_ids(client: httpx.Client, entity: str) -> None:
    problem(client.post(f"/bag/{entity}/take", json={"token": "x"}), 400, "AK2005")


def test_good_entity_ids(client: httpx.Client) -> None:
    for entity in ("x" * 256, "%E2%82%AC" * 85, "a%2Fb", "a b", "..%2f", "%F0%9F%8D%92"):
        assert client.post(f"/bag/{entity}/take", json={"token": "x"}).status_code == 200


def test_an_id_that_is_not_utf_8(running: Running) -> None:
    answer = raw(
        running,
        b"POST /bag/a%FFb/take HTTP/1.1\r\nHost: x\r\nContent-Length: 13\r\n\r\n"
        + b'{"token":"x"}',
    )
    assert b" 400 " in answer.split(b"\r\n", 1)[0]


def test_a_body_above_the_limit_is_413_and_names_it(client: httpx.Client) -> None:
    answer = client.post(TAKE, json={"token": "x" * 1_100_000})
    assert "1000000" in problem(answer, 413, "AK2006")["detail"].replace(",", "").replace("_", "")


def test_a_chunked_body_above_the_limit(client: httpx.Client) -> None:
    answer = client.post(
        TAKE, content=iter([b"x" * 100_000] * 12), headers={"Content-Type": "application/json"}
    )
    problem(answer, 413, "AK2006")


@pytest.mark.parametrize("key", ["", "k" * 129])
def test_bad_idempotency_keys(client: httpx.Client, key: str) -> None:
    answer = client.post(TAKE, json={"token": "x"}, headers={"Idempotency-Key": key})
    problem(answer, 400, "AK2007")


def test_another_request_under_a_key_is_422(client: httpx.Client) -> None:
    headers = {"Idempotency-Key": "once"}
    first = client.post("/bag/keyed/take", json={"token": "a"}, headers=headers)
    again = client.post("/bag/keyed/take", json={"token": "a"}, headers=headers)
    assert first.status_code == again.status_code == 200
    assert first.json() == again.json() == 1
    assert again.headers["idempotent-replayed"] == "true"
    problem(client.post("/bag/keyed/take", json={"token": "b"}, headers=headers), 422, "AK2008")


def test_a_slow_body_is_408(running: Running) -> None:
    started = time.monotonic()
    answer = raw(running, b"POST /bag/b/take HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
    assert b" 408 " in answer.split(b"\r\n", 1)[0]
    assert time.monotonic() - started < 20


def test_bytes_that_are_no_http(running: Running) -> None:
    assert b" 400 " in raw(running, b"\x16\x03\x01 nonsense \r\n\r\n").split(b"\r\n", 1)[0]


@pytest.mark.parametrize(
    "method, number, told",
    [
        ("explode", "AK2010", ""),
        ("unfinished", "AK2011", "then_reply"),
        ("unwritable", "AK2012", ""),
    ],
)
def test_handlers_that_fail_are_500_and_store_nothing(
    client: httpx.Client, method: str, number: str, told: str
) -> None:
    before = client.get("/bags/failing").json()
    document = problem(client.post(f"/bag/failing/{method}"), 500, number)
    assert told in document["detail"]
    assert document["correlation_id"] in document["detail"]
    assert client.get("/bags/failing").json() == before
    assert client.post("/bag/failing/take", json={"token": "x"}).json() == before["count"] + 1


def test_domain_errors_carry_code_and_details(client: httpx.Client) -> None:
    document = problem(client.post("/bag/b/refuse"), 400, "AK2001")
    assert (document["code"], document["detail"]) == ("failed_precondition", "not today")
    assert document["details"] == {"try": "tomorrow"}


def test_every_reply_carries_request_id_and_token(client: httpx.Client) -> None:
    for answer in (
        client.post(TAKE, json={"token": "x"}, headers={"X-Request-Id": "mine-1"}),
        client.get("/bags/b", headers={"X-Request-Id": "mine-1"}),
    ):
        assert answer.headers["x-request-id"] == "mine-1"
        assert answer.headers["x-consistency-token"]


def test_parameters_in_query_strings(client: httpx.Client) -> None:
    assert client.get("/box/q/size").json()["width"] == 0
    problem(client.get("/box/q/size", params={"wide": 1}), 400, "AK2002")


def test_admin_port(running: Running) -> None:
    with httpx.Client(base_url=running.admin) as admin:
        assert admin.get("/health/live").status_code == 200
        assert admin.get("/health/ready").status_code == 200
        metrics = admin.get("/metrics").text
        for name in (
            "actorkalix_commands_total",
            "actorkalix_commit_seconds",
            "actorkalix_live_entities",
        ):
            assert name in metrics
        assert admin.get("/admin/state/bag/nobody-here").json()["exists"] is False
        assert admin.get("/admin/state/nothing/x").status_code == 404


def raw(running: Running, data: bytes) -> bytes:
    """Send bytes, read until the other side closes or a whole answer is there."""
    with socket.create_connection(("127.0.0.1", running.port), timeout=30) as connection:
        connection.sendall(data)
        received = b""
        while True:
            part = connection.recv(65536)
            received += part
            if not part or (b"\r\n\r\n" in received and not _missing(received)):
                return received


def _missing(received: bytes) -> int:
    head, _, body = received.partition(b"\r\n\r\n")
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value) - len(body)
    return 0


def test_a_flood_of_garbage_leaves_the_service_standing(running: Running) -> None:
    for piece in (
        b"",
        b"\r\n\r\n",
        b"GET",
        b"GET / HTTP/9.9\r\n\r\n",
        b"A" * 70_000,
        json.dumps({}).encode(),
    ):
        with socket.create_connection(("127.0.0.1", running.port), timeout=5) as connection:
            connection.sendall(piece)
    assert httpx.post(f"{running.url}/bag/b/take", json={"token": "x"}).status_code == 200
