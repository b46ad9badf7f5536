"""`actorkalix backup` and `actorkalix restore`."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from actorkalix.gateway.operations import EventStream
from actorkalix.ports import ServiceStatus, StreamError
from actorkalix.runtime.backup import BackedUp, Copying
from tests.unit.actorkalix.cli.answering import answering
from tests.unit.actorkalix.cli.ran import Ran
from tests.unit.actorkalix.runtime.backups import filled

Cli = Callable[..., Ran]

STATUS = ServiceStatus(
    service="shop",
    cluster="c" * 32,
    lineage="0" * 16,
    homes_version=1,
    shards=4,
    components={},
    controller_pid=1,
    standby_pid=0,
    hosts=[],
    stores=[],
    opened=[],
    records=0,
    damaged={},
)
EVENTS: tuple[msgspec.Struct, ...] = (
    Copying(0, 0, 0),
    Copying(0, 10, 20),
    Copying(1, 5, 5),
    BackedUp("/there", "shop", 2, 25, 1.5, {}),
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data folder of two stores, at rest."""
    for store in filled(tmp_path / "folder").values():
        store.close()
    return tmp_path / "folder"


@contextmanager
def running(*events: msgspec.Struct, last: bytes = b"") -> Generator[str]:
    """The admin port of a service whose backup goes like that."""

    async def status(_: Request) -> Response:
        return Response(msgspec.json.encode(STATUS))

    async def told() -> AsyncGenerator[bytes]:
        for event in events:
            yield msgspec.json.encode(event) + b"\n"
        yield last

    async def backup(request: Request) -> Response:
        target = (await request.json())["target"]
        if target.endswith("full"):
            problem = {"number": "AK4007", "detail": f"{target} has something in it"}
            return JSONResponse(problem, 400)
        return StreamingResponse(told())

    routes = [
        Route("/admin/status", status),
        Route("/admin/backup", backup, methods=["POST"]),
    ]
    with answering(Starlette(routes=routes)) as url:
        yield url


def test_a_folder_at_rest_there_and_back(cli: Cli, folder: Path, tmp_path: Path) -> None:
    ran = cli("backup", str(tmp_path / "backup"), "--data", str(folder))
    assert ran.code == 0, ran
    assert re.fullmatch(
        rf"backed up shop to {tmp_path}/backup: 2 stores, [\d,]+ bytes, \d+\.\d s\n", ran.out
    )
    assert ran.err == f"copying the folder {folder} at rest\n"
    ran = cli("restore", str(tmp_path / "backup"), "--data", str(tmp_path / "new"), "--dry-run")
    assert (ran.code, ran.err) == (0, "")
    assert "/backup is a whole backup of shop, taken 20" in ran.out
    assert not (tmp_path / "new").exists()
    ran = cli("restore", str(tmp_path / "backup"), "--data", str(tmp_path / "new"))
    assert ran.code == 0
    assert ran.out.startswith(f"restored shop to {tmp_path}/new: 2 stores, 4 shards, ")
    assert f"serve it with `actorkalix run SERVICE --data {tmp_path}/new`" in ran.err
    again = cli("backup", str(tmp_path / "second"), "--data", str(tmp_path / "new"), "--json")
    assert (again.code, again.lines[-1]["event"]) == (0, "backed_up")


def test_events_as_json_lines(cli: Cli, folder: Path, tmp_path: Path) -> None:
    backed = cli("backup", str(tmp_path / "backup"), "--data", str(folder), "--json").lines
    assert {line["event"] for line in backed[:-1]} == {"copying"}
    assert backed[-1]["stores"] == 2
    restored = cli("restore", str(tmp_path / "backup"), "--data", str(tmp_path / "new"), "--json")
    assert [line["event"] for line in restored.lines][-3:] == ["writing", "writing", "restored"]
    manifest = json.loads((tmp_path / "backup" / "backup.json").read_text())
    assert restored.lines[-1]["lineage"] != manifest["lineage"]


def test_what_goes_wrong_has_its_number_and_code(cli: Cli, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").touch()
    inside = str(folder / "backup")
    for words, number, code in (
        (("backup", str(tmp_path / "full"), "--data", str(folder)), "AK4007", 3),
        (("backup", inside, "--data", str(folder)), "AK4007", 3),
        (("backup", str(tmp_path / "b"), "--data", str(tmp_path / "nowhere")), "AK4006", 3),
        (("backup", str(tmp_path / "b"), "--admin", "http://127.0.0.1:1"), "AK5002", 4),
        (("restore", str(tmp_path / "full"), "--data", str(tmp_path / "new")), "AK4008", 1),
        (("restore", str(tmp_path / "full")), "AK5003", 2),
    ):
        ran = cli(*words, "--json")
        assert (ran.code, ran.lines[-1]["error"]["number"]) == (code, number), words
    assert not (tmp_path / "b").exists()


def test_a_running_service_is_asked(cli: Cli) -> None:
    with running(*EVENTS) as admin:
        ran = cli("backup", "/there", "--admin", admin)
        lines = cli("backup", "/there", "--admin", admin, "--json").lines
    assert ran.out == "backed up shop to /there: 2 stores, 25 bytes, 1.5 s\n"
    assert ran.err == f"asking the running service at {admin}\n"
    assert lines == [json.loads(msgspec.json.encode(event)) for event in EVENTS]


def test_damaged_shards_are_a_finding(cli: Cli) -> None:
    with running(BackedUp("/there", "shop", 1, 25, 1.5, {3: "torn"})) as admin:
        ran = cli("backup", "/there", "--admin", admin)
    assert ran.code == 1
    assert "shard 3 was damaged when the backup was taken: torn" in ran.err


def test_a_relative_target_is_of_this_process(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with running(*EVENTS) as admin:
        ran = cli("backup", "full", "--admin", admin, "--json")
    assert (ran.code, ran.lines[-1]["error"]["number"]) == (3, "AK4007")
    assert str(tmp_path / "full") in ran.lines[-1]["error"]["message"]


def test_an_error_on_the_way_is_raised_as_it_is(cli: Cli) -> None:
    error = StreamError("AK4009", "aborted", "store 1: its host went away", "not_executed")
    with running(*EVENTS[:2], last=msgspec.json.encode({"error": error}) + b"\n") as admin:
        ran = cli("backup", "/there", "--admin", admin)
    assert (ran.code, ran.out) == (4, "")
    assert "AK4009 store 1: its host went away" in ran.err


@pytest.mark.parametrize("last", [b"", b'{"event": "backed'])
def test_a_service_that_ends_on_the_way(cli: Cli, last: bytes) -> None:
    with running(*EVENTS[:2], last=last) as admin:
        ran = cli("backup", "/there", "--admin", admin, "--json")
    assert (ran.code, len(ran.lines)) == (4, 3)
    assert ran.lines[-1]["error"]["number"] in ("AK4009", "AK5002")


def test_the_stream_of_the_admin_port_is_what_is_read_here(cli: Cli) -> None:
    """Both sides of `POST /admin/backup`, the real ones."""

    async def told() -> AsyncGenerator[msgspec.Struct]:
        for event in EVENTS:
            yield event

    async def backup(_: Request) -> Response:
        events = told()
        return EventStream(await anext(events), events)

    async def status(_: Request) -> Response:
        return Response(msgspec.json.encode(STATUS))

    routes = [Route("/admin/status", status), Route("/admin/backup", backup, methods=["POST"])]
    with answering(Starlette(routes=routes)) as admin:
        assert cli("backup", "/there", "--admin", admin, "--json").lines[-1]["bytes"] == 25
