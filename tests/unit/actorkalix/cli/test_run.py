"""What `actorkalix run` prints; tests/e2e and tests/ray start it for real."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from actorkalix.cli import run
from actorkalix.cli.output import Output
from actorkalix.cli.run import Teller
from actorkalix.errors import PortTaken
from actorkalix.runtime import config as said
from actorkalix.runtime.config import Report, RunConfig, RunEvent
from tests.unit.actorkalix.cli.conftest import SHOP
from tests.unit.actorkalix.cli.ran import Ran

Cli = Callable[..., Ran]

SERVING = said.Serving(
    service="shop",
    url="http://127.0.0.1:9000",
    admin_url="http://127.0.0.1:9889",
    data="/data/shop",
    durability="fsync before each reply",
    shards=1024,
    damaged={7: "offset 3: checksum"},
    components={"cart": "event_sourced", "profile": "value"},
    pids={"run": 1, "host": 2, "raylet": 3},
    ray_logs="/tmp/ax/logs",
    seconds=1.94,
)

BLOCK = """\
● shop serves (1.9 s)
  http       http://127.0.0.1:9000
  admin      http://127.0.0.1:9889  (health, metrics, inspection)
  data       /data/shop  (1,024 shards, fsync before each reply)
  processes  run 1, host 2, raylet 3
  ray logs   /tmp/ax/logs
  damaged    shard 7 is not served: offset 3: checksum

  cart      event sourced
    add     POST /cart/{entity_id}/add
    remove  POST /cart/{entity_id}/remove
    hold    POST /cart/{entity_id}/hold
    drop    DELETE /carts/{entity_id}
            POST /cart/{entity_id}/drop
    get     GET /carts/{entity_id}
            GET POST /cart/{entity_id}/get

  profile   value
    rename  POST /profile/{entity_id}/rename
    close   POST /profile/{entity_id}/close

Ctrl-C drains and stops.
"""


def told(capsys: pytest.CaptureFixture[str], event: RunEvent, as_json: bool = False) -> str:
    Teller(RunConfig(service=SHOP), Output(as_json)).tell(event)
    out, err = capsys.readouterr()
    assert err == ""
    return str(out)


def test_what_runs_where(capsys: pytest.CaptureFixture[str]) -> None:
    assert told(capsys, SERVING) == BLOCK


@pytest.mark.parametrize(
    "event, line",
    [
        (said.Starting("shop", "/d"), "starting shop on a Ray of its own"),
        (
            said.Waiting("/d"),
            "the run before in /d was killed; waiting for the rest of it to end",
        ),
        (
            said.HostDied(5, "killed by SIGKILL", 1),
            "host process 5 died: killed by SIGKILL; another takes its place",
        ),
        (
            said.HostDied(0, "no memory", 2),
            "a host process died: no memory; another takes its place",
        ),
        (said.Restarted(6, 1.234), "served again by host process 6, 1.2 s later"),
        (
            said.Draining(20.0),
            "draining: requests in flight have 20 s (Ctrl-C cuts that short)",
        ),
        (said.Stopped(True), "stopped; every request in flight was answered"),
        (said.Stopped(False), "stopped at once; requests in flight were not answered"),
    ],
)
def test_each_event_is_a_line(
    capsys: pytest.CaptureFixture[str], event: RunEvent, line: str
) -> None:
    assert told(capsys, event) == line + "\n"
    document = json.loads(told(capsys, event, as_json=True))
    assert document["event"]


def test_the_command_line_becomes_a_config(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen: list[RunConfig] = []

    def runs(config: RunConfig, report: Report) -> int:
        seen.append(config)
        report(said.Stopped(True))
        return 0

    monkeypatch.setattr(run, "run", runs)
    data = str(tmp_path)
    ran = cli("run", "shop:service", "--port", "0", "--data", data, "--grpc-port", "9001", "--json")
    assert (ran.code, ran.lines) == (0, [{"event": "stopped", "drained": True}])
    assert ran.err == "gRPC comes with a later version: nothing listens on port 9001\n"
    assert seen == [RunConfig(service="shop:service", port=0, admin_port=9889, data=data)]


def test_what_prevents_a_start_has_its_code(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(config: RunConfig, report: Report) -> int:
        raise PortTaken("port 9000 is taken")

    monkeypatch.setattr(run, "run", refuses)
    ran = cli("run", "shop:service")
    assert (ran.code, ran.out) == (3, "")
    assert ran.err.startswith("AK5001 port 9000 is taken\nWhat to do: ")


def test_a_service_that_cannot_be_imported_starts_nothing(cli: Cli) -> None:
    ran = cli("run", "no_such_module_h7:service", "--json")
    assert (ran.code, ran.error["number"]) == (2, "AK1003")
