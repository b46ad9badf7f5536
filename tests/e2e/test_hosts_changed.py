"""The number of hosts changed with kills at every step: each record is there, once, in its order.

A start that moves shards is killed as a whole at random moments, its child at named places, one
after the other over the same moves; every next start goes on from what it finds.
`ACTORKALIX_MOVE_SEED` repeats the choices of a run.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.running import SERVICE, Running

SEED = int(os.environ.get("ACTORKALIX_MOVE_SEED", "20260311"))
BAGS = [f"bag-{number}" for number in range(60)]
ROUNDS = 3
COPYING = ("receive.after_sync=crash@40", "receive.after_sync=crash@300")
SWITCHING = (
    *("homes.after_sync=crash@1", "homes.after_sync=crash@2"),
    *("drop.middle=crash@1", "drop.middle=crash@100"),
)
"""In the order in which a start comes by these places; behind each there is still more to do."""
SHARE_MAX = 0.4  # of the shards, copied when everything is killed: more is to come
DELAY_S_MAX = 2.0


class Bags:
    """What was given to the bags, in order."""

    def __init__(self) -> None:
        self.known: dict[str, list[str]] = {bag: [] for bag in BAGS}
        self._number = 0

    def fill(self, running: Running) -> None:
        """Some more in each, the first of it under a key that was seen before."""
        with httpx.Client(base_url=running.url, timeout=30) as http:
            for bag, tokens in self.known.items():
                keyed = http.post(
                    f"/bag/{bag}/take", json={"token": "keyed"}, headers={"Idempotency-Key": "k"}
                )
                assert (keyed.status_code, keyed.json()) == (200, 1), "the stored reply"
                if not tokens:
                    tokens.append("keyed")
                for _ in range(ROUNDS):
                    self._number += 1
                    token = f"t{self._number}"
                    http.post(f"/bag/{bag}/take", json={"token": token}).raise_for_status()
                    tokens.append(token)

    def check(self, running: Running, hosts: int) -> None:
        """Every record once, in order, and no entity in two stores."""
        with httpx.Client(base_url=running.admin, timeout=30) as admin:
            for bag, tokens in self.known.items():
                answer = admin.get(f"/admin/events/bag/{bag}", params={"limit": 1000})
                events = [each for each in answer.json() if each["kind"] == "event"]
                assert [each["payload"]["token"] for each in events] == tokens, bag
                numbers = [each["sequence_number"] for each in events]
                assert numbers == [*range(1, len(tokens) + 1)], bag
            ids = admin.get("/admin/entities/bag", params={"limit": 1000}).json()["ids"]
            assert sorted(ids) == sorted(BAGS)
            assert len(admin.get("/admin/status").json()["hosts"]) == hosts


class Group(Running):
    """A run that leads a process group of its own, as one under a shell does."""

    def kill_all(self, event: str, share: float = 0.0, delay_s: float = 0.0) -> None:
        """Start it; kill the whole group after it has told this, and moved so many shards."""
        with subprocess.Popen(
            self._command, stdout=subprocess.PIPE, text=True, start_new_session=True
        ) as process:
            assert process.stdout is not None
            for line in process.stdout:
                said: dict[str, Any] = json.loads(line)
                if said["event"] == event and said.get("done", 0) >= share * said.get("of", 0):
                    time.sleep(delay_s)
                    os.killpg(process.pid, signal.SIGKILL)
                    print(f"{delay_s:.2f} s after {line}", file=sys.stderr)
                    return
        raise AssertionError(f"it ended with {process.returncode}")


def _crash(data: Path, hosts: int, place: str) -> None:
    """Start it so that its child dies there, and see it say so."""
    failpoints = {"ACTORKALIX_FAILPOINTS": place}
    running = Running(data, SERVICE, "--hosts", str(hosts), environment=failpoints)
    code, number, message = running.refused()
    assert (code, number) == (4, "AK5006"), (place, message)
    assert "SIGKILL" in message and "goes on from there" in message


def _serve(data: Path, hosts: int, bags: Bags) -> None:
    """Start it undisturbed: everything is there and takes more."""
    with Running(data, SERVICE, "--hosts", str(hosts)) as running:
        bags.check(running, hosts)
        bags.fill(running)
    command = [sys.executable, "-m", "actorkalix", "verify", str(data), "--json"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 0, ended.stdout
    names = [f"store-{number}" for number in range(hosts)]
    assert sorted(each.name for each in data.glob("store-*")) == names


@pytest.mark.timeout(240)
def test_1_host_then_4_then_2_with_kills_at_every_step_of_the_moves(tmp_path: Path) -> None:
    print(f"ACTORKALIX_MOVE_SEED={SEED}", file=sys.stderr)
    data, rng, bags = tmp_path / "data", random.Random(SEED), Bags()
    with Running(data, SERVICE, "--hosts", "1") as running:
        bags.fill(running)
    for hosts in (4, 2):
        group = Group(data, SERVICE, "--hosts", str(hosts))
        _crash(data, hosts, COPYING[0])
        group.kill_all("moving", share=rng.uniform(0, SHARE_MAX))
        for place in (COPYING[1], *SWITCHING):
            _crash(data, hosts, place)
        group.kill_all("starting", delay_s=rng.uniform(0, DELAY_S_MAX))
        _serve(data, hosts, bags)
