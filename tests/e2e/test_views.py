"""Views of a service that runs: exact under kills, read-your-writes, streams, bad input, damage."""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from actorkalix import Client
from actorkalix.errors import RowNotFound
from tests.e2e.counting_service import Counter, Tallies, Tally
from tests.e2e.running import Running

SERVICE = f"{Path(__file__).parent / 'counting_service.py'}:service"
SEED = int(os.environ.get("ACTORKALIX_KILL_SEED", "20260103"))
COUNTERS = 12
WRITERS = 8
KILLS = 6
WAIT_S = 90
TOKEN = "x-consistency-token"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Generator[Running]:
    with Running(tmp_path_factory.mktemp("views") / "data", SERVICE) as running:
        until = time.monotonic() + WAIT_S
        while httpx.get(f"{running.url}/sum", timeout=30).status_code != 200:
            assert time.monotonic() < until, "the view was not made"
            time.sleep(0.1)
        yield running


# ---- exactly once -------------------------------------------------------------------------------
class Load:
    """Commands under keys, each sent until it is answered: so many events there are in the end."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._numbers = itertools.count(1)
        self._stopping = False
        self._changed = asyncio.Condition()
        self.done = 0
        self.tokens: dict[str, str] = {}

    async def run(self) -> None:
        """Write until `stop`."""
        await asyncio.gather(*(self._write(number) for number in range(WRITERS)))

    def stop(self) -> None:
        """No more."""
        self._stopping = True

    async def _write(self, writer: int) -> None:
        rng = random.Random(SEED + writer)
        async with httpx.AsyncClient(base_url=self._url, timeout=30) as client:
            while not self._stopping:
                name = f"k{rng.randrange(COUNTERS)}"
                key = {"idempotency-key": f"n{next(self._numbers)}"}
                while True:
                    try:
                        answer = await client.post(f"/counter/{name}/add", json={}, headers=key)
                    except httpx.TransportError:
                        await asyncio.sleep(0.05)
                        continue
                    if answer.status_code == 200:
                        break
                    assert answer.status_code in (503, 504), answer.text
                    await asyncio.sleep(0.05)
                self.tokens[name] = answer.headers[TOKEN]
                async with self._changed:
                    self.done += 1
                    self._changed.notify_all()

    async def beyond(self, more: int) -> None:
        """Return when so many more were acknowledged."""
        wanted = self.done + more
        async with asyncio.timeout(WAIT_S), self._changed:
            await self._changed.wait_for(lambda: self.done >= wanted)


def view_pid(admin: str) -> int:
    """The view's process, 0 while there is none; never to be signalled then."""
    try:
        return int(httpx.get(f"{admin}/admin/views", timeout=30).json()[0]["pid"])
    except (httpx.TransportError, LookupError, ValueError):
        return 0


def send_signal(admin: str, what: signal.Signals) -> int:
    """Send it to the view's process, as soon as there is one; its id."""
    until = time.monotonic() + WAIT_S
    while not (pid := view_pid(admin)):
        assert time.monotonic() < until, "the view has no process"
        time.sleep(0.05)
    os.kill(pid, what)
    return pid


async def eventually(ask: Callable[[], Any], fits: Callable[[Any], object]) -> Any:
    """The answer that fits; views and hosts come and go."""
    async with asyncio.timeout(WAIT_S):
        while True:
            found = await asyncio.to_thread(ask)
            if fits(found):
                return found
            await asyncio.sleep(0.05)


def asked(url: str, path: str, **options: Any) -> httpx.Response | None:
    """An answer, None while nobody is there."""
    try:
        return httpx.get(f"{url}{path}", timeout=30, **options)
    except httpx.TransportError:
        return None


def posted(url: str, **body: Any) -> httpx.Response:
    """The answer to a JSON body."""
    return httpx.post(url, json=body, timeout=30)


@pytest.mark.timeout(400)
@pytest.mark.parametrize("hosts", [1, 2])
def test_totals_equal_the_number_of_events_whatever_dies(tmp_path: Path, hosts: int) -> None:
    print(f"ACTORKALIX_KILL_SEED={SEED}", file=sys.stderr)

    async def case(running: Running) -> None:
        await asyncio.to_thread(running.start)
        load, rng = Load(running.url), random.Random(SEED)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(load.run())
            for number in range(KILLS):
                await load.beyond(rng.randint(100, 400))
                if number % 2:
                    status = await asyncio.to_thread(running.status)
                    pids = [host["pid"] for host in status["hosts"] if host["pid"]]
                    os.kill(rng.choice(pids), signal.SIGKILL)
                    await asyncio.to_thread(running.wait_for, "restarted")
                else:
                    await asyncio.to_thread(send_signal, running.admin, signal.SIGKILL)
            await load.beyond(200)
            load.stop()
        for name, token in load.tokens.items():
            path = f"/tallies/by-name?name={name}"
            answer = await eventually(
                partial(asked, running.url, path, headers={TOKEN: token}),
                lambda answer: answer is not None and answer.status_code == 200,
            )
            assert answer.json()["events"] == answer.json()["total"]
        found = await eventually(
            lambda: asked(running.url, "/sum"), lambda one: one is not None and one.is_success
        )
        assert found.json() == {"counters": len(load.tokens), "events": load.done}
        states = await asyncio.to_thread(
            posted, f"{running.admin}/admin/sql", sql="SELECT sum(number) FROM entities_counter"
        )
        assert states.json()["rows"] == [[load.done]]

    running = Running(tmp_path / "data", SERVICE, "--hosts", str(hosts))
    try:
        asyncio.run(case(running))
        assert running.stop() == 0
    finally:
        if running.process.poll() is None:
            running.process.kill()


# ---- read your writes ---------------------------------------------------------------------------
def test_who_brings_a_token_sees_what_it_has_written(running: Running) -> None:
    with httpx.Client(base_url=running.url, timeout=30) as client:
        for number in range(1, 101):
            answer = client.post("/counter/mine/add", json={})
            found = client.get("/tallies/by-name?name=mine", headers={TOKEN: answer.headers[TOKEN]})
            assert found.json() == {"name": "mine", "events": number, "total": number}
            again = client.get("/tallies/by-name?name=mine", headers={TOKEN: found.headers[TOKEN]})
            assert again.json() == found.json()


def test_a_parked_change_is_a_conflict_for_its_writer_and_nobody_else(running: Running) -> None:
    with httpx.Client(base_url=running.url, timeout=30) as client:
        bad = client.post("/counter/poisoned/add", json={"by": 13})
        good = client.post("/counter/healthy/add", json={})
        refused = client.get("/tallies/by-name?name=poisoned", headers={TOKEN: bad.headers[TOKEN]})
        assert (refused.status_code, refused.json()["number"]) == (409, "AK2033")
        assert "unlucky" in refused.json()["detail"]
        found = client.get("/tallies/by-name?name=healthy", headers={TOKEN: good.headers[TOKEN]})
        assert found.status_code == 200
        [parked] = httpx.get(f"{running.admin}/admin/views/parked?view=tallies", timeout=30).json()
        assert (parked["entity"], parked["failure"]) == ("poisoned", "ValueError: unlucky")
        assert httpx.get(f"{running.admin}/health/ready", timeout=30).status_code == 200


def test_a_view_that_stands_still_answers_504_and_says_how_far_it_is(running: Running) -> None:
    pid = send_signal(running.admin, signal.SIGSTOP)
    try:
        answer = httpx.post(f"{running.url}/counter/late/add", json={}, timeout=30)
        began = time.monotonic()
        late = httpx.get(
            f"{running.url}/tallies/by-name?name=late",
            headers={TOKEN: answer.headers[TOKEN]},
            timeout=30,
        )
        assert (late.status_code, late.json()["number"]) == (504, "AK3011"), late.text
        assert "it lacks shard" in late.json()["detail"]
        assert 3 < time.monotonic() - began < 5.5
        assert asked(running.url, "/sum") is not None, "what there is is answered meanwhile"
    finally:
        os.kill(pid, signal.SIGCONT)


# ---- streams ------------------------------------------------------------------------------------
def events(lines: Iterator[str]) -> Generator[dict[str, str]]:
    """Server-sent events."""
    event: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(": ")
        if line and not line.startswith(":"):
            event[name] = value
        elif not line and event:
            yield event
            event = {}


def test_updates_come_and_who_comes_back_goes_on_where_it_was(running: Running) -> None:
    watch = f"{running.url}/tallies/watch?more_than=100"

    def add(name: str, by: int) -> None:
        httpx.post(f"{running.url}/counter/{name}/add", json={"by": by}, timeout=30)

    add("w1", 150)
    with httpx.stream("GET", watch, timeout=30) as stream:
        coming = events(stream.iter_lines())
        first = next(coming)
        assert '"w1"' in first["data"]
        add("w2", 200)
        second = next(coming)
        assert '"w2"' in second["data"]
    add("w3", 300)
    add("w1", -100)
    httpx.post(f"{running.url}/counter/w2/close", timeout=30)
    back = {"last-event-id": first["id"]}
    with httpx.stream("GET", watch, headers=back, timeout=30) as stream:
        coming = events(stream.iter_lines())
        seen: list[tuple[str, str]] = []
        while len(seen) < 3:
            event = next(coming)
            if event.get("event") != "removed" or '"w' in event["data"]:
                seen.append((event.get("event", "row"), event["data"]))
    assert seen[0][0] == "row", seen
    assert {kind for kind, data in seen if '"w1"' in data or '"w2"' in data} == {"removed"}
    with httpx.stream("GET", watch, headers={"last-event-id": "zz-5"}, timeout=30) as stream:
        assert next(events(stream.iter_lines()))["event"] == "reset"


def test_a_client_from_outside_asks_and_watches(running: Running) -> None:
    async def case() -> None:
        async with Client(running.url) as client:
            counter = client.entity(Counter, "outside")
            added = await counter.add(1_000_000).reply()
            row = await client.view(Tallies, after=added.token).by_name("outside")
            assert row == Tally("outside", 1, 1_000_000)
            rows = [row async for row in client.view(Tallies).larger(999_999)]
            assert rows == [row]
            with pytest.raises(RowNotFound):
                await client.view(Tallies).by_name("nobody")
            updates = aiter(client.view(Tallies).watch(999_999).updates())
            first = await anext(updates)
            assert (first.kind, first.value) == ("row", row)
            await counter.add(-999_999)
            second = await anext(updates)
            assert (second.kind, second.subject) == ("removed", "outside")
            await _closed(updates)

    asyncio.run(case())


async def _closed(updates: AsyncIterator[Any]) -> None:
    close = getattr(updates, "aclose", None)
    assert close is not None
    await close()


# ---- bad input ----------------------------------------------------------------------------------
INJECTIONS = (
    "' OR '1'='1",
    "'; DROP TABLE tallies; --",
    '"; DELETE FROM tallies; --',
    "x' UNION SELECT sql, 1, 1 FROM sqlite_master --",
    ":name",
    "%00",
    "\\",
    "😀" * 100,
    "a" * 5_000,
)


@pytest.mark.parametrize("text", INJECTIONS)
def test_parameters_are_values_and_never_sql(running: Running, text: str) -> None:
    before = httpx.get(f"{running.url}/sum", timeout=30).json()
    for answer in (
        httpx.get(f"{running.url}/tallies/by-name", params={"name": text}, timeout=30),
        httpx.post(f"{running.url}/tallies/by-name", json={"name": text}, timeout=30),
    ):
        assert (answer.status_code, answer.json()["number"]) == (404, "AK2036"), answer.text
    for path in ("watch", "larger"):
        answer = httpx.get(f"{running.url}/tallies/{path}", params={"more_than": text}, timeout=30)
        assert answer.status_code == 400
    assert httpx.get(f"{running.url}/sum", timeout=30).json() == before


@pytest.mark.parametrize(
    "method, path, options, status",
    [
        ("GET", "/tallies/by-name", {}, 400),
        ("GET", "/tallies/by-name?name=a&name=b", {}, 400),
        ("GET", "/tallies/by-name?name=a&other=b", {}, 400),
        ("GET", "/tallies/by-name?name=%ff", {}, 400),
        ("POST", "/tallies/by-name", {"json": {"name": 5}}, 400),
        ("POST", "/tallies/by-name", {"content": b"{"}, 415),
        ("GET", "/tallies/nothing", {}, 404),
        ("DELETE", "/tallies/by-name", {}, 405),
        ("GET", "/tallies/by-name?name=a", {"headers": {TOKEN: "garbage"}}, 400),
        ("GET", "/tallies/by-name?name=a", {"headers": {TOKEN: "AZAA"}}, 400),
        ("GET", "/tallies/by-name?name=a", {"headers": {TOKEN: "x" * 2_000}}, 400),
        ("GET", "/tallies/by-name?name=a", {"headers": {TOKEN: "AZIAkZTNAsYBAQI"}}, 400),
    ],
)
def test_garbage_is_refused_with_a_problem(
    running: Running, method: str, path: str, options: dict[str, Any], status: int
) -> None:
    answer = httpx.request(method, f"{running.url}{path}", timeout=30, **options)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "sql", ["DELETE FROM tallies", "PRAGMA query_only=0", "nonsense", "", "x" * 200_000]
)
def test_sql_of_operators_reads_alone(running: Running, sql: str) -> None:
    answer = httpx.post(f"{running.admin}/admin/sql", json={"sql": sql}, timeout=60)
    assert answer.status_code == 400 or len(sql) > 60_000, answer.text


# ---- damage -------------------------------------------------------------------------------------
@pytest.mark.timeout(300)
def test_a_file_that_is_lost_or_damaged_is_made_again(tmp_path: Path) -> None:
    running = Running(tmp_path / "data", SERVICE)
    with running:
        for number in range(50):
            httpx.post(f"{running.url}/counter/c{number % 5}/add", json={}, timeout=30)

        def whole() -> object:
            answer = asked(running.url, "/sum")
            return answer is not None and answer.is_success and answer.json()

        async def case() -> None:
            await eventually(whole, lambda found: found == {"counters": 5, "events": 50})
            [file] = (tmp_path / "data/views/tallies").glob("*.sqlite")
            file.unlink()
            await asyncio.to_thread(posted, f"{running.url}/counter/c0/add")
            await eventually(whole, lambda found: found == {"counters": 5, "events": 51})
            await asyncio.to_thread(send_signal, running.admin, signal.SIGKILL)
            for file in (tmp_path / "data/views/tallies").glob("*.sqlite"):
                content = bytearray(file.read_bytes())
                content[100:] = b"\xa5" * (len(content) - 100)
                file.write_bytes(content)
            await asyncio.to_thread(posted, f"{running.url}/counter/c0/add")
            await eventually(whole, lambda found: found == {"counters": 5, "events": 52})

        asyncio.run(case())
