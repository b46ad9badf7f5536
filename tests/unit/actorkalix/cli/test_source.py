"""Where inspecting commands look, and that they say so."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from actorkalix.cli import source
from actorkalix.runtime import presence
from actorkalix.runtime.layout import store_folder, views_folder
from actorkalix.runtime.presence import Presence
from actorkalix.runtime.settling import Said, Wanted, settle
from actorkalix.views.files import ViewFiles
from actorkalix.views.files import folder_of as view_folder
from actorkalix_cluster.placement import shard_of
from actorkalix_cluster.shardhost.feeding import BEGINNING, FEED_VERSION, Batch, Range, pack_batch
from actorkalix_storage.lmdbstore import open_store, read_homes, read_identity
from actorkalix_storage.lmdbstore.folder import FolderLock
from actorkalix_storage.memorystore import MemoryStore
from tests.e2e import counting_service
from tests.unit.actorkalix.cli.answering import admin_of, answering
from tests.unit.actorkalix.cli.conftest import SHOP
from tests.unit.actorkalix.cli.ran import Ran
from tests.unit.actorkalix.runtime import shop
from tests.unit.actorkalix.runtime.counted import VIEW, entities, view
from tests.unit.actorkalix.runtime.stock import SHARDS, Stock

Cli = Callable[..., Ran]
COUNTING = f"{counting_service.__file__}:service"
NOWHERE = "http://127.0.0.1:1"


@pytest.fixture(autouse=True)
def nobody_at_the_usual_port(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "USUAL_ADMIN", NOWHERE)


@pytest.fixture
def counted(tmp_path: Path) -> Path:
    """A folder at rest with a counter, and a view that lacks all three of its records."""
    folder = tmp_path / "counted"
    store = open_store(store_folder(folder, 0), service="counting", shards=SHARDS)
    stock = Stock(entities, store)
    for by in (1, 2, 4):
        stock.send("counter", "c1", "add", by=by)
    shard = shard_of("counter", "c1", SHARDS)
    at = store.shard(shard).position
    store.close()
    files = ViewFiles(view_folder(views_folder(folder), VIEW), view())
    through = (at.lineage, at.epoch, 1)
    ranges = [Range(one, BEGINNING, through, newest=0) for one in range(SHARDS)]
    ranges[shard] = Range(shard, BEGINNING, through, newest=1)
    files.apply(pack_batch(Batch(FEED_VERSION, 0, SHARDS, 0, ranges=tuple(ranges))))
    files.close()
    return folder


def test_a_running_service_by_its_url(cli: Cli, admin: str) -> None:
    ran = cli("entities", "cart", "--admin", admin)
    assert (ran.code, ran.err) == (0, f"reading the running service at {admin}\n")
    assert set(ran.out.split()) == {"c1", "c2", "ü/?"}


def test_a_running_service_at_the_usual_port(
    cli: Cli, admin: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "USUAL_ADMIN", admin)
    assert cli("state", "profile", "p1").err.startswith(f"reading the running service at {admin}")


def test_nothing_named_and_nobody_there(cli: Cli) -> None:
    ran = cli("state", "cart", "c1", "--json")
    assert ran.code == 2
    assert "--service, --data or --admin" in ran.error["message"]


def test_a_named_address_must_answer(cli: Cli) -> None:
    ran = cli("state", "cart", "c1", "--admin", NOWHERE, "--json")
    assert (ran.code, ran.error["number"]) == (4, "AK5002")


def test_a_folder_at_rest(cli: Cli, data: Path) -> None:
    ran = cli("entities", "cart", "--data", str(data))
    assert (ran.code, ran.err) == (0, f"reading the folder {data} at rest\n")
    assert set(ran.out.split()) == {"c1", "c2", "ü/?"}
    again = cli("entities", "cart", "--data", str(data), "--service", SHOP)
    assert (again.code, again.out) == (0, ran.out)


def test_a_note_that_was_left_behind_is_not_believed(cli: Cli, data: Path, admin: str) -> None:
    for url in (NOWHERE, admin):  # nobody answers; a service over another store answers
        presence.announce(data, Presence("shop", 1, url, url, 1))
        assert cli("entities", "cart", "--data", str(data)).err.endswith(f"{data} at rest\n")


def test_a_service_that_runs_on_the_folder_is_asked(cli: Cli, data: Path) -> None:
    stock = Stock(shop.service.descriptor, MemoryStore(read_identity(data)))
    stock.send("cart", "only in memory", "add", item="pen")
    with answering(admin_of(shop.service.descriptor, stock)) as url:
        presence.announce(data, Presence("shop", 1, url, url, 1))
        ran = cli("entities", "cart", "--data", str(data))
    assert ran == Ran(0, "only in memory\n", f"reading the running service at {url}\n")


def test_a_folder_that_is_open_elsewhere(cli: Cli, data: Path) -> None:
    # LMDB allows a process to open a folder once, so the holder is another one.
    holder = (
        "import sys; from actorkalix_storage.lmdbstore import open_store;"
        f"store = open_store({str(data)!r}, service='shop', shards={SHARDS});"
        "print('open', flush=True); sys.stdin.read(); store.close()"
    )
    command = [sys.executable, "-c", holder]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"open\n"
        ran = cli("state", "cart", "c1", "--data", str(data), "--json")
        process.communicate()
    assert (ran.code, ran.error["number"]) == (3, "AK4004")
    assert f"process {process.pid}" in ran.error["message"]


def test_what_only_a_running_service_can_do_needs_one(cli: Cli, data: Path) -> None:
    for words, where in (((), NOWHERE), (("--data", str(data)), str(data))):
        ran = cli("replace", "0", *words, "--json")
        assert (ran.code, ran.error["number"]) == (4, "AK5002")
        assert where in ran.error["message"]


def test_views_of_a_folder_at_rest(cli: Cli, counted: Path) -> None:
    at_rest = ("--data", str(counted), "--service", COUNTING)
    said = f"reading the folder {counted} at rest"
    ran = cli("views", *at_rest, "--json")
    assert ran.err.splitlines()[0] == said
    [one] = ran.document
    assert (one["view"], one["state"], one["behind"], one["pid"]) == ("tallies", "serving", 3, 0)
    found = cli("sql", "SELECT entity_id, number FROM entities_counter", *at_rest, "--json")
    assert found.document["rows"] == [["c1", 7]]
    assert cli("sql", "SELECT count(*) FROM tallies", *at_rest, "--json").document["rows"] == [[0]]
    assert "nothing is parked" in cli("views", "parked", "tallies", *at_rest).err
    assert "indexes:" in cli("views", "explain", "tallies", *at_rest).out
    ran = cli("views", "rebuild", "tallies", *at_rest, "--json")
    assert (ran.code, ran.error["number"]) == (4, "AK5002"), "only a running service does"


def test_views_at_rest_need_the_code_and_a_folder_that_is_free(cli: Cli, counted: Path) -> None:
    ran = cli("views", "--data", str(counted), "--json")
    assert (ran.code, ran.error["number"]) == (2, "AK5003")
    assert "--service module:service" in ran.error["message"]
    (counted / "store-0").rename(counted / "elsewhere")
    ran = cli("sql", "SELECT 1", "--data", str(counted), "--service", COUNTING, "--json")
    assert (ran.code, ran.error["number"]) == (3, "AK4006")
    (counted / "elsewhere").rename(counted / "store-0")
    lock = FolderLock(counted / "store-0", "counting")
    ran = cli("sql", "SELECT 1", "--data", str(counted), "--service", COUNTING, "--json")
    lock.release(clean=False)
    assert (ran.code, ran.error["number"]) == (3, "AK4004")


def test_folders_that_are_none(cli: Cli, data: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("text")
    for name in ("nowhere", "empty", "file"):
        ran = cli("state", "cart", "c1", "--data", str(tmp_path / name), "--json")
        assert (ran.code, ran.error["number"]) == (3, "AK4006"), name
    assert not list((tmp_path / "empty").iterdir())


def test_the_folder_of_another_service(cli: Cli, tmp_path: Path) -> None:
    open_store(tmp_path / "other", service="other", shards=8).close()
    ran = cli("state", "cart", "c", "--data", str(tmp_path / "other"), "--service", SHOP, "--json")
    assert (ran.code, ran.error["number"]) == (3, "AK4003")


def test_a_service_that_never_ran_has_no_folder(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "h7cli.py").write_text(Path(SHOP.partition(":")[0]).read_text())
    ran = cli("entities", "cart", "--service", f"{tmp_path}/h7cli.py", "--json")
    assert (ran.code, ran.error["number"]) == (3, "AK4006")
    assert "nothing has run on it yet" in ran.error["message"]


def test_a_service_that_cannot_be_imported(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "h7cli.py").write_text("1 / 0\n")
    ran = cli("entities", "cart", "--service", f"{tmp_path}/h7cli.py:service", "--json")
    assert (ran.code, ran.error["number"]) == (2, "AK1003")
    assert "h7cli.py:1: ZeroDivisionError" in ran.error["message"]


@pytest.fixture
def two(data: Path, tmp_path: Path) -> Path:
    """A data folder of two stores, half of the shards moved out of `data`."""
    folder = tmp_path / "two"
    data.rename(folder)
    settle(Wanted(str(folder), "shop", SHARDS, 2), list[Said]().append)
    return folder


def test_all_stores_of_a_folder_at_rest(cli: Cli, two: Path) -> None:
    data = ("--data", str(two))
    ran = cli("entities", "cart", *data)
    assert (ran.code, ran.err) == (0, f"reading the folder {two} at rest\n")
    assert sorted(ran.out.split()) == ["c1", "c2", "ü/?"]
    for cart, items in {"c1": ["pen", "ink", "cap"], "c2": ["pen"], "ü/?": ["pen"]}.items():
        found = cli("state", "cart", cart, *data, "--service", SHOP, "--json").document
        assert found["state"]["items"] == items
    assert len(cli("events", "cart", "c1", *data, "--json").lines) == 5
    assert cli("entities", "cart", *data).code == 0, "all stores were closed"


def test_one_store_alone_shows_what_is_its_own(cli: Cli, two: Path) -> None:
    homes = read_homes(two / "store-0")
    assert homes is not None
    (home,) = homes.homes[shard_of("cart", "c1", SHARDS)]
    for store in (0, 1):
        data = ("--data", str(two / f"store-{store}"))
        ran = cli("state", "cart", "c1", *data, "--json")
        if store == home:
            assert ran.document["sequence_number"] == 5
        else:
            assert ran.error["number"] == "AK3004"
            assert f"store {home}" in ran.error["message"]


def test_a_store_that_is_missing_is_said(cli: Cli, two: Path) -> None:
    (two / "store-1").rename(two / "elsewhere")
    ran = cli("entities", "cart", "--data", str(two), "--json")
    assert (ran.code, ran.error["number"]) == (3, "AK4006")
    assert "store 1 has" in ran.error["message"]


def test_a_note_is_believed_of_a_folder_of_several_stores(cli: Cli, two: Path) -> None:
    stock = Stock(shop.service.descriptor, MemoryStore(read_identity(two / "store-0")))
    stock.send("cart", "only in memory", "add", item="pen")
    with answering(admin_of(shop.service.descriptor, stock)) as url:
        presence.announce(two, Presence("shop", 1, url, url, 1))
        ran = cli("entities", "cart", "--data", str(two))
    assert ran == Ran(0, "only in memory\n", f"reading the running service at {url}\n")
