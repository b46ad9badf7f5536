"""Disks that are full, break, or change what was written: said by number, never made up for.

No space refuses what would be written and nothing else, and is over when there is space again. A
sync that fails ends the host, and the next one reads the truth. A bit that has changed is found, or
was of no use to anybody. `ACTORKALIX_FLIP_SEED` repeats the choices of a run.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from tests.e2e.running import Running

PILES = f"{Path(__file__).parent / 'bulky_service.py'}:service"
PLACES = ("sweep.slice", "commit.before_sync", "snapshot.piece", "checkpoint.slice")
STONES = 500
CHECKPOINT_RECORDS = 20_000  # of `lmdbstore.Options`
BACKGROUND_S_MAX = 30.0
DISK_BYTES = 160 * 2**20  # more than twice the reserve below which commits are refused
SPACE_CHECK_COMMITS = 64  # of `lmdbstore.environment`
SEED = int(os.environ.get("ACTORKALIX_FLIP_SEED", "20260313"))
FLIPS = 14
CHANGED = 4
PAGE_BYTES = 4096
META_PAGES = 2


def _cli(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "actorkalix", *words],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


class Piles:
    """Piles of a service, and how high they are to be.

    Attributes:
        acknowledged: stones by pile, of commands that were answered with 200.
        attempted: stones by pile, of those and of commands whose outcome nobody knows.
        refused: how many were answered with "not executed", by number.
    """

    def __init__(self, running: Running, *names: str) -> None:
        self._http = httpx.Client(base_url=running.url, timeout=30)
        self.acknowledged = dict.fromkeys(names, 0)
        self.attempted = dict.fromkeys(names, 0)
        self.refused: dict[str, int] = {}

    def __enter__(self) -> Piles:
        return self

    def __exit__(self, *exc: object) -> None:
        self._http.close()

    def lay(self, pile: str, count: int = 1, size: int = 1) -> int:
        """Send one command; gives the status, 0 when the connection broke."""
        body = {"count": count, "size": size}
        try:
            answer = self._http.post(f"/pile/{pile}/lay", json=body)
        except httpx.TransportError:
            self.attempted[pile] += count
            return 0
        if answer.status_code == 200:
            self.acknowledged[pile] += count
            self.attempted[pile] += count
            return 200
        problem = answer.json()
        if problem["outcome"] == "unknown":
            assert problem["number"] in ("AK3101", "AK3102"), problem
            self.attempted[pile] += count
        else:
            number = problem["number"]
            self.refused[number] = self.refused.get(number, 0) + 1
        return answer.status_code

    def lay_all(self, records: int) -> None:
        """Make so many records in one store."""
        pile = next(iter(self.attempted))
        for _ in range(records // STONES + 1):
            assert self.lay(pile, STONES) == 200

    def check(self) -> dict[str, int]:
        """Acknowledged is in stored is in attempted; gives the heights."""
        heights: dict[str, int] = {}
        for pile, attempted in self.attempted.items():
            answer = self._http.get(f"/piles/{pile}").raise_for_status()
            heights[pile] = answer.json()
            assert self.acknowledged[pile] <= heights[pile] <= attempted, pile
        return heights


# ---- failpoints ---------------------------------------------------------------------------
class Failing:
    """A disk that fails when it is told to: a file for each place and kind of failure."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        failpoints = [
            f"{place}={kind}?{folder / place}.{kind}"
            for place in PLACES
            for kind in ("enospc", "eio")
        ]
        self.environment = {"ACTORKALIX_FAILPOINTS": ";".join(failpoints)}

    def once(self, place: str, kind: str) -> Path:
        """The next time that a host comes there; the file is gone when it has come."""
        file = self._folder / f"{place}.{kind}"
        file.touch()
        return file


def _work_until(gone: Path, piles: Piles, place: str) -> None:
    """Go on until a host has come to where it is to fail."""
    until = time.monotonic() + BACKGROUND_S_MAX
    while gone.exists():
        assert time.monotonic() < until, f"nobody came to {gone.name}"
        for pile in piles.attempted:
            if gone.exists():
                piles.lay(pile, 200)
        if place != "commit.before_sync":
            time.sleep(0.2)  # a store gets time for itself a second after a commit


@pytest.mark.timeout(120)
def test_no_space_is_waited_out_and_a_broken_disk_ends_the_host(tmp_path: Path) -> None:
    """At each place inside a transaction that a host comes by."""
    data, failing = tmp_path / "data", Failing(tmp_path)
    with Running(data, PILES, "--hosts", "1") as running, Piles(running, "first") as piles:
        assert piles.lay("first") == 200
    # There is something to sweep up when shards have moved away.
    running = Running(data, PILES, "--hosts", "2", environment=failing.environment)
    with running, Piles(running, *(f"pile-{number}" for number in range(4))) as piles:
        for place in PLACES:
            pids = {host["pid"] for host in running.status()["hosts"]}
            if place == "checkpoint.slice":
                piles.lay_all(CHECKPOINT_RECORDS)
            _work_until(failing.once(place, "enospc"), piles, place)
            assert piles.refused.pop("AK3003", 0) == (place == "commit.before_sync"), place
            assert pids == {host["pid"] for host in running.status()["hosts"]}, place
            _work_until(failing.once(place, "eio"), piles, place)
            died = running.wait_for("host_died")
            assert died["pid"] in pids
            assert f"failpoint {place}: Input/output error; what is on disk" in died["reason"]
            running.wait_for("restarted")
            piles.check()
            assert piles.refused == {}
        heights = piles.check()
    for pile, height in heights.items():
        ran = _cli("state", "pile", pile, "--data", str(data), "--service", PILES, "--json")
        assert json.loads(ran.stdout)["state"] == height
    assert _cli("verify", str(data)).returncode == 0


# ---- a full disk --------------------------------------------------------------------------
@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, of `DISK_BYTES`."""
    folder = tmp_path / "disk"
    folder.mkdir()
    options = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "actorkalix-test", str(folder)]
    if os.geteuid() != 0 or not shutil.which("mount"):
        pytest.skip("a file system can be mounted by root alone")
    mounted = subprocess.run(options, capture_output=True, text=True, check=False)
    if mounted.returncode != 0:
        pytest.skip(f"a file system cannot be mounted here: {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def _fill(ballast: Path) -> None:
    """Leave no byte of the file system free."""
    free = os.statvfs(ballast.parent)
    with ballast.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, free.f_bavail * free.f_frsize)


@pytest.mark.timeout(120)
def test_a_full_disk_refuses_commands_and_loses_nothing(disk: Path) -> None:
    data, ballast = disk / "data", disk / "ballast"
    running = Running(data, PILES)
    pids = running.start()["pids"]
    with Piles(running, "small", "large") as piles:
        for _ in range(20):
            assert piles.lay("small") == 200
        _fill(ballast)
        statuses = [piles.lay("large", 1, 500_000) for _ in range(10)]
        statuses += [piles.lay("small") for _ in range(SPACE_CHECK_COMMITS)]
        assert set(statuses) <= {200, 507} and statuses[-1] == 507
        assert set(piles.refused) == {"AK3003"}
        assert piles.check() == piles.acknowledged, "queries go on, and refused is not executed"
        assert httpx.get(f"{running.admin}/health/ready").status_code == 200

        ballast.unlink()
        assert piles.lay("large", 1, 500_000) == 200, "by itself, as soon as there is space"
        assert piles.lay("small") == 200

        _fill(ballast)
        os.kill(pids["host"], signal.SIGKILL)
        running.process.kill()
        running.process.wait()
        code, number, said = running.refused()
        assert (code, number) in ((4, "AK3003"), (3, "AK4006")), said
        ballast.unlink()
        with running:
            assert piles.check() == piles.acknowledged
            assert piles.lay("small") == 200
    assert _cli("verify", str(data)).returncode == 0


# ---- changed bits -------------------------------------------------------------------------
class Flip(msgspec.Struct, frozen=True):
    """A bit of a file."""

    at: int
    bit: int

    def on(self, file: Path) -> None:
        """Turn it."""
        with file.open("r+b") as data:
            data.seek(self.at)
            byte = data.read(1)[0]
            data.seek(self.at)
            data.write(bytes([byte ^ 1 << self.bit]))


def _flips(file: Path, rng: random.Random) -> Iterator[Flip]:
    """Bits of pages that are or were used; in each case beside bytes that are not zero."""
    raw = file.read_bytes()
    pages = [
        at
        for at in range(META_PAGES * PAGE_BYTES, len(raw), PAGE_BYTES)
        if any(raw[at : at + PAGE_BYTES])
    ]
    for _ in range(FLIPS):
        page = rng.choice(pages)
        used = [at for at in range(page, page + PAGE_BYTES) if raw[at]]
        yield Flip(rng.choice(used), rng.randrange(8))


def _full_bags(data: Path) -> dict[str, list[str]]:
    """The tokens of bags in a service that was stopped in order."""
    known = {f"bag-{number}": [f"bag-{number}/{n}" for n in range(5)] for number in range(40)}
    with Running(data) as running, httpx.Client(base_url=running.url, timeout=30) as http:
        for bag, tokens in known.items():
            for token in tokens:
                http.post(f"/bag/{bag}/take", json={"token": token}).raise_for_status()
    return known


def _assert_right_or_refused(running: Running, known: dict[str, list[str]]) -> set[str]:
    """Ask for everything; gives the bags that were refused for their damage."""
    refused: set[str] = set()
    with httpx.Client(timeout=30) as http:
        for bag, tokens in known.items():
            state = http.get(f"{running.url}/bags/{bag}")
            events = http.get(f"{running.admin}/admin/events/bag/{bag}")
            if state.status_code == 200:
                assert state.json() == {"count": len(tokens), "last": tokens[-1]}, bag
            if events.status_code == 200:
                assert [each["payload"]["token"] for each in events.json()] == tokens, bag
            for answer in (state, events):
                if answer.status_code != 200:
                    assert answer.json()["number"] == "AK4001", answer.text
                    refused.add(bag)
    return refused


@pytest.mark.timeout(180)
def test_a_changed_bit_is_found_or_of_no_use(tmp_path: Path) -> None:
    """Each in place, and turned back: the file's inode is part of its identity."""
    print(f"ACTORKALIX_FLIP_SEED={SEED}", file=sys.stderr)
    data, rng = tmp_path / "data", random.Random(SEED)
    known = _full_bags(data)
    file = data / "store-0" / "data.mdb"
    whole = file.read_bytes()
    unused: list[Flip] = []
    for flip in _flips(file, rng):
        flip.on(file)
        ran = _cli("verify", str(data), "--json")
        verified: dict[str, Any] = json.loads(ran.stdout)
        assert (ran.returncode, verified["ok"]) in ((0, True), (1, False)), ran
        print(f"{flip}: {verified['first'] or 'of no use'}", file=sys.stderr)
        if verified["ok"]:
            unused.append(flip)
        flip.on(file)
    assert file.read_bytes() == whole and 0 < len(unused) < FLIPS
    for flip in unused:
        flip.on(file)
    with Running(data) as running:
        assert _assert_right_or_refused(running, known) == set()


@pytest.mark.timeout(120)
def test_changed_records_are_refused_and_all_others_served(tmp_path: Path) -> None:
    """Records have checksums; the other rows, which are made of them, have only `verify`."""
    print(f"ACTORKALIX_FLIP_SEED={SEED}", file=sys.stderr)
    data, rng = tmp_path / "data", random.Random(SEED)
    known = _full_bags(data)
    file = data / "store-0" / "data.mdb"
    raw = file.read_bytes()
    changed = rng.sample(sorted(known), CHANGED)
    for bag in changed:
        token = rng.choice(known[bag]).encode()
        places = [at for at in range(len(raw)) if raw.startswith(token, at)]
        bit, byte = rng.randrange(8), rng.randrange(len(token))
        for place in places:  # of some of these pages newer ones count
            Flip(place + byte, bit).on(file)
    ran = _cli("verify", str(data), "--json")
    assert ran.returncode == 1 and "checksum" in json.loads(ran.stdout)["first"]
    with Running(data) as running:
        assert set(changed) <= _assert_right_or_refused(running, known)
    assert _cli("verify", str(data)).returncode == 1, "it is still known"
