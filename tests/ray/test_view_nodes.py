"""A view on another node of the cluster than its service: asked there, and made anew when it dies.

Two nodes on this machine, each with a raylet of its own. That nothing is read past the view's
process follows from the folder: the run's own has no file of the view in it.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.running import Running
from tests.e2e.test_views import SERVICE, TOKEN, Load, events
from tests.ray.foreign import Foreign

pytestmark = pytest.mark.timeout(500)

WAIT_S = 120.0


class Nodes:
    """A service on one node, its view on another one."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.foreign = Foreign(folder, several=True)
        stack.enter_context(self.foreign.started())
        stack.enter_context(self.foreign.node("attic", "views"))
        self.data = folder / "data"
        self.running = Running(
            self.data,
            SERVICE,
            *("--address", self.foreign.address, "--hosts", "2", "--view-nodes", "views"),
            environment=self.foreign.environment,
        )
        self.running.start()
        stack.callback(self.end)

    def end(self) -> None:
        """Stop the service, if it runs still."""
        if self.running.process.poll() is None:
            self.running.stop()

    def get(self, path: str, **options: Any) -> httpx.Response:
        """Ask the service."""
        return httpx.get(f"{self.running.url}{path}", timeout=30, **options)

    def add(self, name: str, by: int = 1) -> str:
        """Count; gives the token."""
        answer = httpx.post(
            f"{self.running.url}/counter/{name}/add", json={"by": by}, timeout=30
        ).raise_for_status()
        return answer.headers[TOKEN]

    def admin(self, path: str) -> Any:
        """Ask the admin port."""
        return httpx.get(f"{self.running.admin}{path}", timeout=60).raise_for_status().json()

    def process(self) -> dict[str, Any]:
        """The view's process, as the status has it."""
        found: list[dict[str, Any]] = self.running.status()["processes"]
        return found[0] if found else {}


def until(fits: Callable[[], Any]) -> Any:
    """What it gives when that is something."""
    end = time.monotonic() + WAIT_S
    while True:
        try:
            found = fits()
        except httpx.TransportError:
            found = None
        if found:
            return found
        assert time.monotonic() < end, "it did not become so"
        time.sleep(0.2)


@pytest.fixture(scope="module")
def nodes() -> Iterator[Nodes]:
    folder = Path(tempfile.mkdtemp(prefix="ak-n"))
    with ExitStack() as stack:
        nodes = Nodes(folder, stack)
        until(lambda: nodes.get("/sum").status_code == 200)
        yield nodes
    shutil.rmtree(folder)


def test_the_view_is_on_the_other_node_and_its_file_too(nodes: Nodes) -> None:
    process = until(lambda: nodes.process().get("node") and nodes.process())
    assert process["kind"] == "view" and process["memory_bytes"] > 1_000_000
    assert list((nodes.data / "views@attic" / "tallies").glob("*.sqlite"))
    assert not list((nodes.data / "views").rglob("*.sqlite"))
    [view] = nodes.admin("/admin/views")
    assert (view["state"], view["node"]) == ("serving", "attic")


def test_queries_see_what_their_callers_have_written(nodes: Nodes) -> None:
    with httpx.Client(base_url=nodes.running.url, timeout=30) as client:
        for number in range(1, 51):
            token = client.post("/counter/mine/add", json={}).headers[TOKEN]
            found = client.get("/tallies/by-name?name=mine", headers={TOKEN: token})
            assert found.json() == {"name": "mine", "events": number, "total": number}
            again = client.get("/tallies/by-name?name=mine", headers={TOKEN: found.headers[TOKEN]})
            assert again.json() == found.json(), "heads of all shards, which the process asks for"
        assert client.get("/tallies/by-name?name=nobody").json()["number"] == "AK2036"
        assert client.get("/tallies/by-name?name=mine&x=1").status_code == 400


def test_many_at_once_travel_in_batches(nodes: Nodes) -> None:
    nodes.add("crowd", 5)
    until(lambda: nodes.get("/tallies/by-name?name=crowd").status_code == 200)

    async def case() -> None:
        async with httpx.AsyncClient(base_url=nodes.running.url, timeout=30) as client:
            answers = await asyncio.gather(
                *(client.get("/tallies/by-name?name=crowd") for _ in range(300))
            )
        assert {answer.status_code for answer in answers} == {200}

    asyncio.run(case())


def test_streams_and_updates_come_through(nodes: Nodes) -> None:
    token = [nodes.add(f"big{number}", 1_000) for number in range(100)][-1]
    path = f"{nodes.running.url}/tallies/larger?more_than=999"
    with httpx.stream("GET", path, headers={TOKEN: token}, timeout=30) as stream:
        found = [event for event in events(stream.iter_lines()) if "data" in event]
    assert sum('"big' in event["data"] for event in found) == 100
    watch = f"{nodes.running.url}/tallies/watch?more_than=4999"
    nodes.add("w1", 5_000)
    with httpx.stream("GET", watch, timeout=30) as stream:
        coming = events(stream.iter_lines())
        first = next(coming)
        assert '"w1"' in first["data"]
        nodes.add("w2", 6_000)
        assert '"w2"' in next(coming)["data"]
        nodes.add("w1", -5_000)
        assert next(coming)["event"] == "removed"
    with httpx.stream("GET", watch, headers={"last-event-id": first["id"]}, timeout=30) as stream:
        coming = events(stream.iter_lines())
        kinds = {next(coming).get("event", "row"), next(coming).get("event", "row")}
    assert kinds == {"row", "removed"}, "it goes on where it was"


def test_operators_ask_it_too(nodes: Nodes) -> None:
    nodes.add("poisoned", 13)
    [parked] = until(lambda: nodes.admin("/admin/views/parked?view=tallies"))
    assert (parked["entity"], parked["failure"]) == ("poisoned", "ValueError: unlucky")
    sql = (
        "SELECT t.total, e.number FROM tallies t JOIN entities_counter e ON e.entity_id = t.name "
        "WHERE t.name = 'mine'"
    )
    answer = httpx.post(f"{nodes.running.admin}/admin/sql", json={"sql": sql}, timeout=60)
    assert answer.json()["rows"] == [[50, 50]], answer.text
    answer = httpx.post(
        f"{nodes.running.admin}/admin/sql", json={"sql": "SELECT x FROM tallies"}, timeout=60
    )
    assert (answer.status_code, answer.json()["number"]) == (400, "AK2035")


def test_when_its_node_dies_it_is_made_anew_and_nothing_is_lost(nodes: Nodes) -> None:
    async def case() -> int:
        load = Load(nodes.running.url)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(load.run())
            await load.beyond(100)
            await asyncio.to_thread(nodes.foreign.kill_node, "attic")
            await load.beyond(200)
            load.stop()
        for name, token in load.tokens.items():
            path = f"/tallies/by-name?name={name}"

            def fits(path: str = path, token: str = token) -> bool:
                return nodes.get(path, headers={TOKEN: token}).status_code == 200

            await asyncio.to_thread(until, fits)
        return load.done

    nodes.add("w3", 8_000)
    until(lambda: nodes.get("/tallies/by-name?name=w3").status_code == 200)
    watch = f"{nodes.running.url}/tallies/watch?more_than=7999"
    with httpx.stream("GET", watch, timeout=WAIT_S) as stream:
        coming = events(stream.iter_lines())
        assert '"w3"' in next(coming)["data"]
        done = asyncio.run(case())
        last = list(coming)
    assert any("AK3012" in event.get("data", "") for event in last), "who watches is told"
    assert list((nodes.data / "views" / "tallies").glob("*.sqlite")), "on the service's own node"
    [view] = nodes.admin("/admin/views")
    assert (view["state"], view["node"]) == ("serving", "")
    sql = "SELECT sum(events) FROM tallies WHERE name GLOB 'k[0-9]*'"
    answer = httpx.post(f"{nodes.running.admin}/admin/sql", json={"sql": sql}, timeout=60)
    assert answer.json()["rows"] == [[done]]
    assert nodes.get("/tallies/by-name?name=mine").json()["events"] == 50
    assert nodes.running.stop() == 0
