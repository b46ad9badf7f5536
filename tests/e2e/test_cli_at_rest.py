"""The command line as users start it on a folder at rest: no service runs, the code may be away."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from actorkalix_storage.lmdbstore import open_store
from tests.unit.actorkalix.runtime import shop
from tests.unit.actorkalix.runtime.stock import SHARDS, Stock

ENTITIES = 300


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with carts in it, below a path with blanks and letters of its own."""
    path = tmp_path_factory.mktemp("a folder, ü") / "data"
    store = open_store(path, service="shop", shards=SHARDS)
    stock = Stock(shop.service.descriptor, store)
    for n in range(ENTITIES):
        stock.send("cart", f"cart {n:03}", "add", item="pen")
    for n in range(10):
        stock.send("cart", "cart 000", "add", item=f"item {n}")
    store.close()
    return path


@pytest.fixture
def away(tmp_path: Path) -> Path:
    """A working folder in which the user's own modules have the names of ours."""
    for name in ("storage", "cluster", "actorkalix_", "json_"):
        (tmp_path / f"{name}.py").write_text("raise RuntimeError('not ours')\n")
    return tmp_path


def started(*words: str, cwd: Path, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "actorkalix", *words],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        **options,
    )


def test_lt_20_every_id_once_over_all_pages(folder: Path, away: Path) -> None:
    ids: list[str] = []
    page = ""
    while True:
        words = ["entities", "cart", "--data", str(folder), "--limit", "128", "--json"]
        ran = started(*words, "--page", page, cwd=away)
        assert ran.returncode == 0, ran.stderr
        found = json.loads(ran.stdout)
        ids += found["ids"]
        page = found["next_page"]
        if not page:
            break
    assert sorted(ids) == [f"cart {n:03}" for n in range(ENTITIES)]


def test_state_and_events_with_and_without_the_code(folder: Path, away: Path) -> None:
    data = ["--data", str(folder), "--json"]
    code = ["--service", f"{shop.__file__}:service"]
    state = started("state", "cart", "cart 000", *data, *code, cwd=away)
    assert state.stderr == f"reading the folder {folder} at rest\n"
    assert json.loads(state.stdout)["state"]["items"] == ["pen", *(f"item {n}" for n in range(10))]
    blind = json.loads(started("state", "cart", "cart 000", *data, cwd=away).stdout)
    assert "later events are not folded" in blind["note"]
    events = started("events", "cart", "cart 000", "--with-state", *data, *code, cwd=away)
    lines = [json.loads(line) for line in events.stdout.splitlines()]
    assert [len(line["state"]["items"]) for line in lines] == list(range(1, 12))
    assert len(started("events", "cart", "cart 000", *data, cwd=away).stdout.splitlines()) == 11


def test_verify_finds_a_flipped_bit(folder: Path, away: Path) -> None:
    assert started("verify", str(folder), cwd=away).returncode == 0
    file = folder / "data.mdb"
    whole = file.read_bytes()
    try:
        file.write_bytes(whole.replace(b"item 7", b"item 6"))
        ran = started("verify", str(folder), "--json", cwd=away)
    finally:
        file.write_bytes(whole)
    assert ran.returncode == 1
    found = json.loads(ran.stdout)
    assert not found["ok"]
    assert "shard" in found["first"]


def test_results_alone_go_to_stdout_and_no_traceback_anywhere(away: Path) -> None:
    for words, code in {
        ("explain", "AK2003"): 0,
        ("state", "cart", "c1", "--data", "nowhere"): 3,
        ("components", "nothing:service"): 2,
        ("run", "storage:service"): 2,
        ("verify", "nowhere"): 3,
        ("cluster", "start"): 2,
        ("stat",): 2,
    }.items():
        ran = started(*words, "--json", cwd=away)
        assert (ran.returncode, ran.stderr.count("Traceback")) == (code, 0), ran
        assert ("error" in json.loads(ran.stdout)) is (code != 0)
        plain = started(*words, cwd=away)
        assert (plain.returncode, bool(plain.stdout)) == (code, code == 0), plain


def test_a_users_own_failing_module_is_named_with_its_line(away: Path) -> None:
    ran = started("components", "storage:service", cwd=away)
    assert ran.returncode == 2
    assert "storage.py:1: RuntimeError: not ours" in ran.stderr


def test_a_reader_that_has_enough_is_no_failure(folder: Path, away: Path) -> None:
    command = [sys.executable, "-m", "actorkalix", "entities", "cart", "--data", str(folder)]
    reading, writing = os.pipe()
    os.close(reading)
    try:
        ran = subprocess.run(
            [*command, "--json"], cwd=away, stdout=writing, stderr=subprocess.PIPE, check=False
        )
    finally:
        os.close(writing)
    assert (ran.returncode, ran.stderr.count(b"\n")) == (0, 1), ran.stderr


def test_help_loads_nothing_that_takes_its_time(away: Path) -> None:
    listed = "import sys, atexit; atexit.register(lambda: print(*sys.modules, file=sys.stderr)); "
    command = "from actorkalix.cli.entry import main; main(['--help'])"
    ran = subprocess.run(
        [sys.executable, "-c", listed + command],
        cwd=away,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    loaded = set(ran.stderr.split())
    assert "actorkalix.cli.parser" in loaded
    assert not loaded & {"ray", "lmdb", "uvicorn", "starlette", "hypothesis", "httpx", "asyncio"}
