"""`actorkalix status`: of a running service, of a folder at rest, again and again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

import msgspec
import pytest
from rich.console import Console

from actorkalix.cli import status as command
from actorkalix.cli.admin import AdminInspection
from actorkalix.errors import AdminUnreachable
from actorkalix.ports import HostView, ServiceStatus, ShardView, StoreView
from actorkalix.process_listing import ProcessView
from tests.unit.actorkalix.cli.ran import Ran
from tests.unit.actorkalix.runtime.cluster import Cluster, Processes
from tests.unit.actorkalix.runtime.stock import SHARDS

Cli = Callable[..., Ran]

SINCE_MS = 1_700_000_000_000
TABLE = """\
service shop  4 shards · homes version 3
cluster cccc · lineage feed
controller 100 · no standby
store  host  state    since  deaths  shards  epochs  records  newest
    0     7  serving   61 s               2  1-3          12    60 s
    1        fenced    61 s       5
store 0 lies in d/store-0, 1.5 MB
store 0: cart.add has held its loop for 2.3 s
store 1: five deaths
shard 2 is damaged and not served: crc
"""
SHARD_LINES = """\
shard  store  epoch  offset  newest record             note
    0      0      1       2  2023-11-14 22:13:20.000Z  sealed
    2      0      3      10  2023-11-14 22:13:21.000Z  damaged
"""


def example() -> ServiceStatus:
    """Of a service that has seen better days."""
    return ServiceStatus(
        service="shop",
        cluster="cccc",
        lineage="feed",
        homes_version=3,
        shards=4,
        components={},
        controller_pid=100,
        standby_pid=0,
        hosts=[
            HostView(0, "serving", 7, since_ms=SINCE_MS, held_by="cart.add", held_ms=2_345),
            HostView(1, "fenced", reason="five deaths", since_ms=SINCE_MS, deaths=5),
        ],
        stores=[StoreView(0, folder="d/store-0", files={"data.mdb": 1_500_000}, records=12)],
        opened=[ShardView(0, 0, 1, 2, SINCE_MS, True), ShardView(2, 0, 3, 10, SINCE_MS + 1_000)],
        records=12,
        damaged={2: "crc"},
    )


def drawn(status: ServiceStatus, *, every_shard: bool = False) -> str:
    console = Console(width=200, highlight=False, color_system=None)
    with console.capture() as capture:
        console.print(*command.shown(status, SINCE_MS + 61_000, every_shard=every_shard), sep="\n")
    return "".join(f"{line.rstrip()}\n" for line in capture.get().splitlines())


def test_a_line_a_store() -> None:
    assert drawn(example()) == TABLE


def test_a_line_a_process_beside_the_hosts() -> None:
    processes = (
        ProcessView("dedicated", "model", "m 1", "starting", 0, "", 0, 0.0, 1),
        ProcessView("view", "carts", "", "serving", 77, "ab" * 28, 50_400_000, 1.52, 0, 2),
    )
    lines = drawn(msgspec.structs.replace(example(), processes=processes)).splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("process"))
    assert [line.split() for line in lines[at : at + 3]] == [
        ["process", "of", "state", "pid", "node", "memory", "cpu", "store", "deaths"],
        ["dedicated", "model", "'m", "1'", "starting", "1"],
        ["view", "carts", "serving", "77", "abababab", "50", "MB", "1.5", "s", "0", "2"],
    ]


def test_a_line_a_shard_when_asked_for() -> None:
    assert drawn(example(), every_shard=True) == TABLE + SHARD_LINES


def test_a_running_service(cli: Cli, admin: str) -> None:
    ran = cli("status", "--admin", admin)
    assert (ran.code, ran.err) == (0, f"reading the running service at {admin}\n")
    assert "controller 100 · standby 200" in ran.out
    assert "serving" in ran.out
    status = cli("status", "--admin", admin, "--json").document
    assert (status["service"], status["hosts"][0]["pid"]) == ("shop", 7)
    assert [shard["store"] for shard in status["opened"]] == [0] * SHARDS


def test_a_folder_at_rest(cli: Cli, data: Path) -> None:
    ran = cli("status", "--data", str(data), "--shards")
    assert ran.code == 0
    assert "at rest" in ran.out
    assert "controller" not in ran.out
    assert str(data) in ran.out
    status = cli("status", "--data", str(data), "--json").document
    assert (status["hosts"], status["controller_pid"]) == ([], 0)
    assert status["stores"][0]["files"]["data.mdb"] > 0
    assert f"\n    0      0      {status['opened'][0]['epoch']} " in ran.out


def test_watching_a_folder_at_rest_ends_at_once(cli: Cli, data: Path) -> None:
    ran = cli("status", "--data", str(data), "--watch", "--json")
    assert (ran.code, ran.document["service"]) == (0, "shop")
    assert "nothing changes in it" in ran.err


@pytest.mark.parametrize(
    "status",
    [
        example(),
        asyncio.run(Cluster(1).inspection.status()),
    ],
    ids=["fenced and damaged", "well"],
)
def test_what_is_not_well_is_a_finding(
    cli: Cli, admin: str, status: ServiceStatus, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def said(_: AdminInspection) -> ServiceStatus:
        return status

    monkeypatch.setattr(AdminInspection, "status", said)
    assert cli("status", "--admin", admin, "--json").code == int(bool(status.damaged))


# ---- again and again --------------------------------------------------------------------------
@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two looks, one of them at nobody, and Ctrl-C."""

    async def looked(_: AdminInspection) -> AsyncGenerator[ServiceStatus | AdminUnreachable]:
        yield example()
        yield AdminUnreachable("nobody answers")
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "_looks", looked)


@pytest.mark.usefixtures("looks")
def test_ctrl_c_ends_watching_well(cli: Cli, admin: str) -> None:
    ran = cli("status", "--admin", admin, "--watch")
    assert ran.code == 0
    assert ran.out.index("shard 2 is damaged") < ran.out.index("nobody answers")


@pytest.mark.usefixtures("looks")
def test_watching_prints_a_document_a_line(cli: Cli, admin: str) -> None:
    ran = cli("status", "--admin", admin, "--watch", "--json")
    first, second = ran.lines
    assert (ran.code, first["service"], second["error"]["number"]) == (0, "shop", "AK5002")


def test_a_service_that_went_away_is_looked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "EVERY_S", 0.0)

    async def look() -> list[type]:
        async with AdminInspection("http://127.0.0.1:1") as nobody:
            found: list[type] = []
            async for each in command._looks(nobody):
                found.append(type(each))
                if len(found) == 3:
                    break
            return found

    assert asyncio.run(look()) == [AdminUnreachable] * 3


def test_views_name_stores_that_have_no_host_and_hosts_without_a_store() -> None:
    hosts = Processes(HostView(4, "away", reason="killed")).view.hosts
    status = asyncio.run(Cluster(2).inspection.status())
    lines = drawn(msgspec.structs.replace(status, hosts=list(hosts))).splitlines()
    assert [line.split()[0] for line in lines[-4:-1]] == ["0", "1", "4"]
    assert lines[-1] == "store 4: killed"


@pytest.mark.parametrize(
    "seconds, age",
    [
        (-5, "0 s"),
        (119, "119 s"),
        (120, "2 min"),
        (7_199, "119 min"),
        (7_200, "2 h"),
        (172_800, "2 d"),
    ],
)
def test_ages(seconds: int, age: str) -> None:
    assert command._age(seconds * 1000) == age
