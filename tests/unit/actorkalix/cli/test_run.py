"""What `actorkalix run` prints; tests/e2e and tests/ray start it for real."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import msgspec
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
    hosts={0: 2, 1: 4},
    fenced={2: "5 hosts died within 60 s"},
    pids={"run": 1, "controller": 5, "host": 2, "raylet": 3},
    ray_logs="/tmp/ax/logs",
    seconds=1.94,
)

BLOCK = """\
● shop serves (1.9 s)
  http       http://127.0.0.1:9000
  admin      http://127.0.0.1:9889  (health, metrics, inspection)
  data       /data/shop  (1,024 shards, fsync before each reply)
  processes  host 0 2, host 1 4, run 1, controller 5, raylet 3
  ray logs   /tmp/ax/logs
  fenced     store 2 is not served: 5 hosts died within 60 s
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
        (said.Starting("shop", "/d", "auto"), "starting shop on the Ray at auto"),
        (
            said.HostDied(1, 5, "killed by SIGKILL", 1),
            "host 5 of store 1 died: killed by SIGKILL; another takes its place",
        ),
        (said.Restarted(1, 6, 1.234), "store 1 is served again, by host 6, 1.2 s later"),
        (
            said.StoreFenced(1, "5 hosts died within 60 s"),
            "store 1 is served no more until the next start: 5 hosts died within 60 s",
        ),
        (said.Replacing(1, 5), "host 5 of store 1 is being replaced"),
        (
            said.ControllerDied(7, "it was killed"),
            "controller 7 died: it was killed; hosts serve on, another takes its place",
        ),
        (said.ControllerBack(8), "there is a controller again: process 8"),
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
    options = ("--port", "0", "--data", data, "--grpc-port", "9001", "--hosts", "3", "--dev")
    ran = cli("run", "shop:service", *options, "--address", "auto", "--json")
    assert (ran.code, ran.lines) == (0, [{"event": "stopped", "drained": True}])
    assert ran.err == "gRPC comes with a later version: nothing listens on port 9001\n"
    wanted = RunConfig(service="shop:service", port=0, admin_port=9889, data=data, hosts=3)
    assert seen == [msgspec.structs.replace(wanted, ray="auto", dev=True)]


def test_nodes_of_views_are_those_of_a_cluster_that_is_named(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[RunConfig] = []

    def runs(config: RunConfig, report: Report) -> int:
        seen.append(config)
        return 0

    monkeypatch.setattr(run, "run", runs)
    assert cli("run", "shop:service", "--view-nodes", "views", "--address", "auto").code == 0
    assert [config.view_nodes for config in seen] == ["views"]
    ran = cli("run", "shop:service", "--view-nodes", "views", "--json")
    assert (ran.code, ran.error["number"]) == (2, "AK5003")


def test_numbers_of_hosts_that_cannot_be(cli: Cli) -> None:
    for hosts in ("0", "65", "-1", "many"):
        ran = cli("run", "shop:service", f"--hosts={hosts}")
        assert ran.code == 2
        assert "is not a number of hosts of 1 to 64" in ran.err


def test_moving_is_shown_and_gone_when_it_is_over(capsys: pytest.CaptureFixture[str]) -> None:
    teller = Teller(RunConfig(service=SHOP), Output(False))
    teller.tell(said.Moving(3, 768, 120))
    teller.tell(said.Moving(768, 768, 9_000))
    teller.tell(said.Stopped(True))
    out, err = capsys.readouterr()
    assert out == (
        "768 shards have moved, 9,000 records\nstopped; every request in flight was answered\n"
    )
    assert err == ""


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
