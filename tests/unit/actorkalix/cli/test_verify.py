"""`actorkalix verify`."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from actorkalix.runtime.settling import Said, Wanted, settle
from actorkalix_storage.lmdbstore import open_store
from tests.unit.actorkalix.cli.ran import Ran
from tests.unit.actorkalix.runtime.stock import SHARDS

Cli = Callable[..., Ran]
STORES = ("store-0", "store-1")


def test_a_sound_folder(cli: Cli, data: Path) -> None:
    ran = cli("verify", str(data))
    assert ran.code == 0
    assert re.fullmatch(r"no damage in \d+ records of 8 shards, \d+ rows, \d+\.\d s\n", ran.out)
    assert f"checking the folder {data} at rest" in ran.err
    document = cli("verify", str(data), "--json").document
    assert (document["ok"], document["first"], document["running"]) == (True, "", False)
    assert document["records"] >= SHARDS + 8


def test_a_folder_that_is_open(cli: Cli, data: Path) -> None:
    store = open_store(data, service="shop", shards=SHARDS)
    try:
        ran = cli("verify", str(data), "--json")
    finally:
        store.close()
    assert (ran.code, ran.document["running"]) == (0, True)


def test_damage_is_named_and_is_a_finding(cli: Cli, data: Path) -> None:
    file = data / "data.mdb"
    whole = file.read_bytes()
    at = whole.rindex(b"too dear")
    file.write_bytes(whole.replace(b"too dear", b"too deaf"))
    assert at > 0
    ran = cli("verify", str(data))
    assert ran.code == 1
    assert ran.out.startswith("AK4001 damaged: ")
    document = cli("verify", str(data), "--json").document
    assert not document["ok"]
    assert document["damages"][0] == document["first"] != ""


@pytest.mark.parametrize("name", ["nowhere", "empty", "file"])
def test_folders_that_are_none(cli: Cli, tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("text")
    ran = cli("verify", str(tmp_path / name), "--json")
    assert (ran.code, ran.error["number"]) == (3, "AK4006")


@pytest.mark.parametrize("garbage", [b"", b"garbage", bytes(100_000), b"\xff" * 8192])
def test_a_file_that_is_none_of_ours(cli: Cli, tmp_path: Path, garbage: bytes) -> None:
    (tmp_path / "data.mdb").write_bytes(garbage)
    ran = cli("verify", str(tmp_path), "--json")
    assert ran.code in (1, 3)
    assert "Traceback" not in ran.err
    looked = cli("state", "cart", "c1", "--data", str(tmp_path), "--json")
    assert looked.code in (1, 3), looked


@pytest.fixture
def two(data: Path, tmp_path: Path) -> Path:
    """A data folder of two stores, half of the shards moved out of `data`."""
    folder = tmp_path / "two"
    data.rename(folder)
    settle(Wanted(str(folder), "shop", SHARDS, 2), list[Said]().append)
    return folder


def test_every_store_is_checked(cli: Cli, two: Path) -> None:
    ran = cli("verify", str(two))
    assert ran.code == 0
    assert re.match(r"no damage in \d+ records of 8 shards in 2 stores, ", ran.out)
    assert all(f"checking the folder {two / name} at rest" in ran.err for name in STORES)
    document = cli("verify", str(two), "--json").document
    stores = document["stores"]
    assert [(store["store"], store["folder"]) for store in stores] == [
        (0, str(two / "store-0")),
        (1, str(two / "store-1")),
    ]
    for total in ("records", "rows", "shards"):
        assert document[total] == sum(store[total] for store in stores)
    assert all(store["shards"] for store in stores)


def test_one_store_can_be_checked_alone(cli: Cli, two: Path) -> None:
    document = cli("verify", str(two / "store-1"), "--json").document
    assert document["ok"]
    assert [store["store"] for store in document["stores"]] == [1]


def test_the_damaged_store_is_named(cli: Cli, two: Path) -> None:
    # An unused part of a page may have bytes of the other store, which this process wrote as well.
    counts = [(two / name / "data.mdb").read_bytes().count(b"too dear") for name in STORES]
    store = counts.index(max(counts))
    file = two / f"store-{store}" / "data.mdb"
    file.write_bytes(file.read_bytes().replace(b"too dear", b"too deaf"))
    document = cli("verify", str(two), "--json").document
    assert document["first"].startswith(f"store {store}: ")
    assert document["damages"][0] == document["first"]
    assert [each["ok"] for each in document["stores"]] == [store != 0, store != 1]


def test_a_store_that_is_missing_is_a_damage(cli: Cli, two: Path) -> None:
    (two / "store-1").rename(two / "elsewhere")
    ran = cli("verify", str(two), "--json")
    assert ran.code == 1
    assert re.match(r"store 1 has \d of 8 shards, and the folder is not", ran.document["first"])
    assert ran.document["stores"][0]["ok"]
