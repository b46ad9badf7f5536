"""`actorkalix timers`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from actorkalix.engine.timer import START, KeptCall, Plan
from actorkalix_cluster.shardhost.fired import FIRED, TIMER, Firing, Outcome
from actorkalix_cluster.shardhost.messages import Failure, Message, MessageKind
from actorkalix_storage.lmdbstore import open_store
from tests.unit.actorkalix.cli.ran import Ran
from tests.unit.actorkalix.runtime import shop
from tests.unit.actorkalix.runtime.stock import NOW_MS, SHARDS, Stock

Cli = Callable[..., Ran]
CALL = KeptCall("cart", "c1", "drop", b"\x90")
NIGHTLY = KeptCall("checkout", "", "remind", b"\x90")


@pytest.fixture(autouse=True)
def wide(plain: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is folded."""
    monkeypatch.setenv("COLUMNS", "200")


def start(stock: Stock) -> None:
    """Three timers."""
    stock.now_ms = NOW_MS
    stock.timer("expire-c1", START, Plan(CALL, after_ms=1_800_000))
    stock.timer("each-hour", START, Plan(CALL, every_ms=3_600_000))
    stock.timer("nightly", START, Plan(NIGHTLY, cron="0 3 * * *", zone="Europe/Berlin"))


def test_timers_are_listed_as_they_come(cli: Cli, admin: str, stock: Stock) -> None:
    start(stock)
    ran = cli("timers", "--admin", admin)
    lines = [" ".join(line.split()) for line in ran.out.splitlines()]
    assert ran.code == 0
    assert lines == [
        "name next every calls attempts that failed",
        "expire-c1 2023-11-14 22:43:21.000Z once cart c1.drop",
        "each-hour 2023-11-14 23:13:22.000Z 3600 s cart c1.drop",
        "nightly 2023-11-15 02:00:00.000Z 0 3 * * * Europe/Berlin checkout.remind",
    ]


def test_a_failing_one_shows_how(cli: Cli, admin: str, stock: Stock) -> None:
    start(stock)
    stock.now_ms = NOW_MS + 10_000_000
    firing = msgspec.msgpack.decode(
        stock.tell(Message(MessageKind.EXPIRE, TIMER, "expire-c1")).payload, type=Firing
    )
    outcome = Outcome(firing.token, Failure("AK2003", "not_found", "no component has the id"))
    stock.timer("expire-c1", FIRED, outcome)
    assert "1, AK2003 no component has the id" in cli("timers", "--admin", admin).out


def test_by_pages_and_as_json(cli: Cli, admin: str, stock: Stock) -> None:
    start(stock)
    names: list[str] = []
    page = ""
    while True:
        ran = cli("timers", "--limit", "1", "--page", page, "--admin", admin, "--json")
        assert ran.code == 0
        names += [timer["name"] for timer in ran.document["timers"]]
        page = ran.document["next_page"]
        if not page:
            break
        assert f"--page {page}" not in ran.err
    assert sorted(names) == ["each-hour", "expire-c1", "nightly"]
    assert "there are more: --page" in cli("timers", "--limit", "1", "--admin", admin).err


def test_a_service_without_timers(cli: Cli, admin: str) -> None:
    ran = cli("timers", "--admin", admin)
    assert (ran.code, ran.out) == (0, "")
    assert "there are no timers" in ran.err


def test_a_folder_at_rest_shows_its_timers(cli: Cli, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    store = open_store(folder, service="shop", shards=SHARDS)
    start(Stock(shop.service.descriptor, store))
    store.close()
    ran = cli("timers", "--data", str(folder), "--json")
    assert len(ran.document["timers"]) == 3
    ran = cli("entities", "carts", "--data", str(folder))
    assert "~timer" not in ran.err


def test_a_timer_is_cancelled(cli: Cli, admin: str, stock: Stock) -> None:
    start(stock)
    ran = cli("timers", "cancel", "nightly", "--admin", admin)
    assert (ran.code, ran.out) == (0, "timer nightly is cancelled\n")
    ran = cli("timers", "cancel", "nightly", "--admin", admin)
    assert (ran.code, ran.out) == (1, "")
    assert "there is no timer nightly" in ran.err
    ran = cli("timers", "cancel", "nightly", "--admin", admin, "--json")
    assert ran.document == {"name": "nightly", "cancelled": False}


@pytest.mark.parametrize(
    "words, number",
    [
        (("timers", "cancel"), "AK5003"),
        (("timers", "start", "x"), "AK5003"),
        (("timers", "--page", "nonsense"), "AK2002"),
        (("timers", "cancel", "n" * 10_000), "AK2020"),
    ],
)
def test_what_cannot_be_done_is_said(
    cli: Cli, admin: str, words: tuple[str, ...], number: str
) -> None:
    ran = cli(*words, "--admin", admin, "--json")
    assert ran.code != 0
    assert ran.error["number"] == number


def test_a_folder_at_rest_cancels_nothing(cli: Cli, data: Path) -> None:
    ran = cli("timers", "cancel", "x", "--data", str(data), "--json")
    assert ran.error["number"] == "AK5002"
