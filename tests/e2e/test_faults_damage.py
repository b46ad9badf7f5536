"""Damaged, foreign, copied and unwritable folders: named, refused by number and exit code, nothing
made up.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.e2e.running import SERVICE, Running

ENTITIES = [f"bag-{number}" for number in range(20)]
ROUNDS = 3


def _fill(data: Path, *, clean: bool) -> None:
    """Three events in each of twenty entities; the service then stopped, or killed."""
    running = Running(data)
    pids = running.start()["pids"]
    with httpx.Client(base_url=running.url, timeout=20) as http:
        for number in range(ROUNDS):
            for entity in ENTITIES:
                body = {"token": f"{entity}/{number}"}
                http.post(f"/bag/{entity}/take", json=body).raise_for_status()
    if clean:
        assert running.stop() == 0
    else:
        os.kill(pids["host"], signal.SIGKILL)
        running.process.kill()
        running.process.wait()


def _verify(data: Path) -> tuple[int, str]:
    command = [sys.executable, "-m", "actorkalix", "verify", str(data)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return ended.returncode, ended.stdout + ended.stderr


def _overwrite(at: int, what: bytes) -> Callable[[Path], None]:
    def damage(file: Path) -> None:
        with file.open("r+b") as data:
            data.seek(at)
            data.write(what)

    return damage


def _truncate(size: int) -> Callable[[Path], None]:
    return lambda file: os.truncate(file, size)


def _both_meta_pages(file: Path) -> None:
    for page in (0, 4096):
        _overwrite(page + 16, b"nope")(file)


def _zeros_in_the_middle(file: Path) -> None:
    _overwrite(file.stat().st_size // 2 // 4096 * 4096, bytes(8192))(file)


@pytest.mark.timeout(120)
def test_a_damaged_file_is_named_and_refused(tmp_path: Path) -> None:
    """Each damage in place, the file put back in between: its inode is part of its identity."""
    data = tmp_path / "data"
    _fill(data, clean=True)
    file = data / "store-0" / "data.mdb"
    whole, lock = file.read_bytes(), (file.parent / "lock").read_bytes()
    damages: dict[str, Callable[[Path], None]] = {
        "a meta page": _overwrite(16, b"nope"),
        "both meta pages": _both_meta_pages,
        "the file cut in half": _truncate(len(whole) // 2),
        "the file emptied": _truncate(0),
        "pages that opening reads": _zeros_in_the_middle,
    }
    for what, damage in damages.items():
        damage(file)
        code, said = _verify(data)
        assert code == 1 and "AK4001" in said, (what, said)
        assert Running(data).refused()[:2] == (1, "AK4001"), what
        _overwrite(0, whole)(file)
        (file.parent / "lock").write_bytes(lock)
    with Running(data) as running:
        for entity in ENTITIES:
            assert httpx.get(f"{running.url}/bags/{entity}").json()["count"] == ROUNDS


@pytest.mark.timeout(60)
def test_a_damaged_record_takes_its_shard_out_and_no_other(tmp_path: Path) -> None:
    data = tmp_path / "data"
    _fill(data, clean=False)
    file = data / "store-0" / "data.mdb"
    raw = file.read_bytes()
    token = b"bag-7/1"
    at = raw.find(token)
    while at >= 0:  # pages that are free again may hold older copies
        _overwrite(at, b"bag-7/X")(file)
        at = raw.find(token, at + 1)
    code, said = _verify(data)
    assert code == 1 and "checksum" in said
    running = Running(data)
    serving = running.start()
    try:
        assert next(iter(serving["damaged"].values())).endswith("the checksum does not match")
        with httpx.Client(base_url=running.url, timeout=20) as http:
            for entity in ENTITIES:
                answers = (
                    http.get(f"/bags/{entity}"),
                    http.post(f"/bag/{entity}/take", json={"token": "new"}),
                )
                if entity == "bag-7":
                    assert {answer.json()["number"] for answer in answers} == {"AK4001"}
                else:
                    assert [answer.status_code for answer in answers] == [200, 200]
    finally:
        assert running.stop() == 0


@pytest.mark.timeout(60)
def test_folders_that_are_not_ours_to_serve(tmp_path: Path) -> None:
    data = tmp_path / "data"
    _fill(data, clean=True)
    copy = tmp_path / "copy"
    shutil.copytree(data, copy)
    code, number, said = Running(copy).refused()
    assert (code, number) == (3, "AK4003") and "copy" in said
    cart = f"{Path(__file__).parents[2] / 'examples/shopping_cart/service.py'}:service"
    code, number, said = Running(data, cart).refused()
    assert (code, number) == (3, "AK4003") and "'tokens'" in said
    (tmp_path / "file").write_text("not a folder")
    assert Running(tmp_path / "file").refused()[:2] == (3, "AK4006")
    for lost in ("store-0/lock", "store-0/lock.mdb", "run.lock"):
        (data / lost).unlink(missing_ok=True)
    with Running(data) as running:  # locks are made again
        assert httpx.get(f"{running.url}/bags/bag-1").json()["count"] == ROUNDS


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("setpriv"), reason="needs root, setpriv")
def test_a_folder_that_may_not_be_written(tmp_path: Path) -> None:
    """The interpreter may lie where nobody else may read, so the rights are taken from root."""
    folder = tmp_path / "data"
    folder.mkdir(mode=0o555)
    ended = subprocess.run(
        [
            *("setpriv", "--bounding-set=-dac_override", "--inh-caps=-all"),
            *(sys.executable, "-m", "actorkalix", "run", SERVICE),
            *("--json", "--port", "0", "--admin-port", "0", "--data", str(folder)),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 3, ended.stdout + ended.stderr
    assert '"AK4006"' in ended.stdout
    assert "Permission denied" in ended.stdout
