"""Views when their service rests: looked at, asked, exported, and read by Ray Data."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from actorkalix.views.serving import connect
from tests.e2e.running import Running

SERVICE = f"{Path(__file__).parent / 'counting_service.py'}:service"
COUNTERS = 5
EVENTS = 60
WAIT_S = 90
EACH = EVENTS // COUNTERS
ROWS = [{"name": f"c{number}", "events": EACH, "total": EACH} for number in range(COUNTERS)]

Cli = Callable[..., Any]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a service that has run, and has counted."""
    folder = tmp_path_factory.mktemp("at rest, ü") / "data"
    with Running(folder, SERVICE) as running:
        for number in range(EVENTS):
            path = f"/counter/c{number % COUNTERS}/add"
            assert httpx.post(f"{running.url}{path}", json={}, timeout=30).is_success
        until = time.monotonic() + WAIT_S
        while httpx.get(f"{running.url}/sum", timeout=30).json() != {
            "counters": COUNTERS,
            "events": EVENTS,
        }:
            assert time.monotonic() < until, "the view has not counted"
            time.sleep(0.1)
        pid = cli(folder)("views")[0]["pid"]
        assert pid, "a service that runs is asked"
        look(running, pid)
        assert running.stop() == 0
    return folder


def look(running: Running, pid: int) -> None:
    """The view's process is seen from outside, with what it uses."""
    until = time.monotonic() + WAIT_S
    while True:
        [process] = running.status()["processes"]
        metrics = httpx.get(f"{running.admin}/metrics", timeout=30).text
        if process["memory_bytes"] and 'actorkalix_view_process_bytes{store="0"' in metrics:
            break
        assert time.monotonic() < until, process
        time.sleep(0.1)
    assert (process["kind"], process["component"], process["pid"]) == ("view", "tallies", pid)
    assert process["memory_bytes"] > 10_000_000 and process["node"]
    assert httpx.get(f"{running.admin}/health/ready", timeout=30).status_code == 200


def cli(data: Path) -> Cli:
    """The command line with `--json`; what it prints as a document."""

    def run(*words: str) -> Any:
        ran = subprocess.run(
            [
                *(sys.executable, "-m", "actorkalix", *words, "--json"),
                *("--service", SERVICE, "--data", str(data)),
            ],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert ran.returncode == 0, (ran.stdout, ran.stderr)
        return json.loads(ran.stdout)

    return run


def test_they_are_listed_and_explained_with_how_far_they_are(data: Path) -> None:
    [view] = cli(data)("views")
    assert (view["view"], view["state"], view["pid"]) == ("tallies", "serving", 0)
    assert view["tables"][0]["rows"] == COUNTERS
    assert view["passed"] + view["behind"] == view["newest"]
    explained = cli(data)("views", "explain", "tallies")
    assert any("USING INDEX" in step for q in explained["queries"] for s in q["statements"]
               for step in s["plan"])  # fmt: skip
    assert cli(data)("views", "parked", "tallies") == []


def test_sql_joins_them_with_states(data: Path) -> None:
    found = cli(data)(
        "sql",
        "SELECT t.name, t.events, e.number FROM tallies t "
        "JOIN entities_counter e ON e.entity_id = t.name ORDER BY 1",
    )
    assert found["rows"] == [[row["name"], EACH, EACH] for row in ROWS]


READ = """
import sys
import ray
ray.init(num_cpus=1, include_dashboard=False, object_store_memory=80 * 2**20, log_to_driver=False)
from actorkalix.views.serving import connect
{line}
print(sorted(found.take_all(), key=lambda row: row["name"]), file=sys.stderr)
print(found.count())
"""


@pytest.mark.timeout(300)
@pytest.mark.parametrize("how", ["sql", "parquet"])
def test_ray_data_reads_them_in_one_line(data: Path, tmp_path: Path, how: str) -> None:
    for module in ("pandas", "fsspec", "pyarrow"):
        pytest.importorskip(module)
    if how == "sql":
        sql = "SELECT name, events, total FROM tallies"
        line = f"found = ray.data.read_sql({sql!r}, lambda: connect({str(data)!r}, 'tallies'))"
    else:
        target = tmp_path / "tallies.parquet"
        written = cli(data)("views", "export", "tallies", "--parquet", str(target))
        assert written["rows"] == COUNTERS
        line = f"found = ray.data.read_parquet({str(target)!r})"
    environment = {key: value for key, value in os.environ.items() if not key.startswith("RAY_")}
    environment["RAY_AUTH_MODE"] = "disabled"
    ran = subprocess.run(
        [sys.executable, "-c", READ.format(line=line)],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        env=environment,
    )
    assert ran.returncode == 0, ran.stderr[-3_000:]
    assert ran.stdout.split() == [str(COUNTERS)]
    for row in ROWS:
        assert f"'name': '{row['name']}', 'events': {EACH}, 'total': {EACH}" in ran.stderr


def test_a_connection_reads_and_does_not_write(data: Path) -> None:
    connection = connect(data, "tallies")
    assert connection.execute("SELECT sum(events) FROM tallies").fetchone() == (EVENTS,)
    with pytest.raises(Exception, match="readonly"):
        connection.execute("DELETE FROM tallies")
    connection.close()
