"""Views: making one anew, how far it lags, its queries over HTTP and over a million rows."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from pathlib import Path
from time import perf_counter
from typing import Any

import uvloop

from actorkalix.codec import codecs_for
from actorkalix.describe import descriptor_of
from actorkalix.describe.descriptors import QueryDescriptor
from actorkalix.gateway import tokens
from actorkalix.views.files import ViewFiles, folder_of
from actorkalix.views.reading import Reader
from actorkalix.views.serving import Serving
from actorkalix.viewsql.answers import Answer
from actorkalix.viewsql.functions import install
from actorkalix_cluster.shardhost.feeding import (
    BEGINNING,
    FEED_VERSION,
    Batch,
    Fed,
    Place,
    Range,
    pack_batch,
)
from actorkalix_storage.api import RecordKind

from . import view_service as module
from .load import drawn, each_once, get, load, post
from .rows import Row, Setting, at_least, at_most, latency_row, rate_row, ratio_of
from .service import Added, Counter
from .serving import BODY, command, empty_server, queries, service

SERVICE = "view_service.py"
BATCH = 1_000  # records of a batch while a view is made
SENDERS = 16
LINEAGE = 7


# ---- making a view ------------------------------------------------------------------------------
def view_rebuild(setting: Setting) -> list[Row]:
    """Records into a table with two indexes, as the feeds hand them over; in process, on disk."""
    rates = [_rebuilt(setting) for _ in range(setting.rounds)]
    return [
        Row(
            what=f"view made of {setting.view_events:,} events, two indexes",
            durable=True,
            unit="events/s",
            value=statistics.median(rates),
            targets=(at_least(30_000),),
        )
    ]


def _rebuilt(setting: Setting) -> float:
    batches = list(_batches(setting.view_events, setting.keys))
    with tempfile.TemporaryDirectory() as name:
        files = ViewFiles(Path(name) / "rows", descriptor_of(module.Rows))
        started = perf_counter()
        for batch in batches:
            files.apply(batch)
        took_s = perf_counter() - started
        files.close()
    return setting.view_events / took_s


def _batches(events: int, keys: int) -> Iterator[bytes]:
    stored = codecs_for(descriptor_of(Counter)).stored
    payload = stored.encode_event(Added(1))
    at: Place = BEGINNING
    for first in range(0, events, BATCH):
        entries: list[Fed] = []
        for number in range(first, min(first + BATCH, events)):
            round_, key = divmod(number, keys)
            entries.append(
                Fed(
                    *(RecordKind.EVENT.value, "counter", f"k{key}", round_ + 1, round_ + 1),
                    *(key + 1, 1, number + 1, 0, payload),
                )
            )
        through = (LINEAGE, 1, entries[-1].offset)
        part = Range(0, at, through, events, tuple(entries))
        yield pack_batch(Batch(FEED_VERSION, 0, 1, 0, ranges=(part,)))
        at = through


# ---- lag ----------------------------------------------------------------------------------------
def view_lag(setting: Setting) -> list[Row]:
    """From a command's reply to its row in the view's file, under a steady load."""
    with tempfile.TemporaryDirectory() as name, service(Path(name), file=SERVICE) as port:
        each_once(port, 16, [command(number) for number in range(setting.keys)])
        reader = _opened(Path(name))
        lags = uvloop.run(_lags(port, reader, setting))
        reader.close()
    cuts = statistics.quantiles(lags, n=100, method="inclusive")
    return [
        Row(
            what=f"reply to visible row at {setting.view_rate:,} commands/s",
            durable=True,
            payload_bytes=len(BODY),
            connections=SENDERS,
            percentile="p99",
            unit="ms",
            value=cuts[98] * 1000,
            other=statistics.median(lags) * 1000,
            beside="p50",
            targets=(at_most(50),),
        )
    ]


def _opened(data: Path) -> Reader:
    serving = Serving("rows", folder_of(data / "views", "rows"))
    until = time.monotonic() + 60
    while time.monotonic() < until:
        with contextlib.suppress(Exception):
            return Reader(serving())
        time.sleep(0.05)
    raise RuntimeError("the view was not made within 60 s")


async def _lags(port: int, reader: Reader, setting: Setting) -> list[float]:
    numbers = itertools.count()
    until = perf_counter() + setting.seconds * setting.rounds
    lags: list[float] = []

    async def send(every_s: float, samples: bool) -> None:
        read, write = await asyncio.open_connection("127.0.0.1", port)
        due = perf_counter()
        while (now := perf_counter()) < until:
            if now < due:
                await asyncio.sleep(due - now)
            due += every_s
            key = next(numbers) % setting.keys
            write.write(post(f"/counter/k{key}/add", BODY))
            token = await _token(read)
            if samples:
                lags.append(await _visible(reader, token))
        write.close()

    rate = setting.view_rate / SENDERS
    await asyncio.gather(send(0.02, True), *(send(1 / rate, False) for _ in range(SENDERS)))
    return lags


async def _token(read: asyncio.StreamReader) -> str:
    head = (await read.readuntil(b"\r\n\r\n")).decode("latin-1")
    if not head.startswith("HTTP/1.1 200"):
        raise RuntimeError(f"an answer that is not 200: {head[:200]!r}")
    fields = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
    await read.readexactly(int(fields["content-length"]))
    line = next(one for one in head.split("\r\n") if one.lower().startswith("x-consistency-token"))
    return line.split(": ", 1)[1]


async def _visible(reader: Reader, token: str) -> float:
    [mark] = tokens.decode(token).marks
    started = perf_counter()
    sql = 'SELECT "offset" FROM "$positions" WHERE "shard" = ?'
    while True:
        rows = reader.run(lambda read: read(sql, (mark.shard,)), until=time.monotonic() + 5)
        if rows and rows[0][0] >= mark.offset:
            return perf_counter() - started
        await asyncio.sleep(0.001)


# ---- over HTTP ----------------------------------------------------------------------------------
def view_query(setting: Setting) -> list[Row]:
    """Keyed queries of a view beside the empty handler, on many connections and on one."""
    requests = [get(f"/rows/by-name?name=k{key}") for key in range(setting.keys)]
    many: tuple[list[Any], list[Any]] = ([], [])
    single: tuple[list[Any], list[Any]] = ([], [])
    with service(file=SERVICE) as served, empty_server() as empty:
        each_once(served, 16, [command(number) for number in range(setting.keys)])
        _wait_for_rows(served, setting.keys)
        load(served, 8, min(setting.seconds, 1.0), drawn(requests))
        for _ in range(setting.rounds):
            for taken, connections in ((many, setting.connections), (single, 1)):
                for loads, (port, asked) in zip(
                    taken, ((served, requests), (empty, queries(setting.keys))), strict=True
                ):
                    loads.append(load(port, connections, setting.seconds, drawn(asked)))
    return [
        rate_row(
            "keyed query of a view over HTTP",
            many[0],
            "empty handler",
            many[1],
            durable=None,
            unit="queries/s",
            targets=(at_least(0.5, "ratio"),),
        ),
        latency_row(
            "keyed query of a view over HTTP",
            single[0],
            "empty handler",
            single[1],
            durable=None,
            targets=(at_most(2),),
        ),
    ]


def _wait_for_rows(port: int, keys: int) -> None:
    for key in range(keys):
        for _ in range(600):
            with contextlib.suppress(RuntimeError):
                each_once(port, 1, [get(f"/rows/by-name?name=k{key}")])
                break
            time.sleep(0.1)


# ---- many rows ----------------------------------------------------------------------------------
def view_rows(setting: Setting) -> list[Row]:
    """A view of many rows: a row by its key, pages far behind, a search; in process."""
    small, large = setting.keys, setting.view_rows
    with _filled(setting, module.Rows, small) as few, _filled(setting, module.Rows, large) as many:
        keyed = _keyed(few, small), _keyed(many, large)
        first, far = _pages(many, setting)
    with _filled(setting, module.Searched, large) as texts:
        searched = _searched(texts, setting)
    return [
        Row(
            what=f"keyed query of a view of {large:,} rows, in process",
            beside=f"of {small:,} rows",
            percentile="p50",
            unit="us",
            value=keyed[1],
            other=keyed[0],
            ratio=ratio_of([keyed[1]], [keyed[0]]),
            targets=(at_most(1.5, "ratio"),),
        ),
        Row(
            what=f"page {setting.view_pages:,} by token of a view of {large:,} rows, in process",
            beside="page 1",
            percentile="p50",
            unit="us",
            value=far,
            other=first,
            ratio=ratio_of([far], [first]),
            targets=(at_most(1.5, "ratio"),),
        ),
        Row(
            what=f"text search in a view of {large:,} rows, in process",
            percentile="p50",
            unit="ms",
            value=searched,
            targets=(at_most(20),),
        ),
    ]


@contextlib.contextmanager
def _filled(setting: Setting, view: type[Any], rows: int) -> Generator[Reader]:
    """A view's file with so many rows; a large one is kept for the next run."""
    component = descriptor_of(view)
    folder = setting.scratch / f"view-{component.component_id}-{rows}"
    path = folder / "rows.sqlite"
    if not path.exists():
        _fill(component, path, rows)
    reader = Reader(f"file:{path}?mode=ro", install)
    try:
        yield reader
    finally:
        reader.close()


def _fill(component: Any, path: Path, rows: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        files = ViewFiles(Path(name) / "view", component)
        [fold] = files.projection._folds.values()
        made = Path(files.served.uri.removeprefix("file:"))
        files.close()
        db = sqlite3.connect(made, isolation_level=None)
        db.execute("BEGIN")
        for number in range(rows):
            key = f"k{number}"
            for sql, parameters in fold.storage.put(key, module.first_row(key), number + 1):
                db.execute(sql, parameters)
        db.execute("COMMIT")
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        db.close()
        path.parent.mkdir(parents=True, exist_ok=True)
        made.replace(path) if made.stat().st_dev == path.parent.stat().st_dev else _copied(
            made, path
        )


def _copied(whence: Path, path: Path) -> None:
    path.write_bytes(whence.read_bytes())


def _queries(view: type[Any]) -> Mapping[str, QueryDescriptor]:
    found = descriptor_of(view).view
    assert found is not None
    return found.queries


def _keyed(reader: Reader, rows: int) -> float:
    answer = Answer(_queries(module.Rows)["by_name"].query)
    keys = [f"k{number * 7919 % rows}" for number in range(2_000)]
    return _median_us(
        lambda key: reader.run(
            lambda read: answer.json(read, {"name": key}), until=time.monotonic() + 5
        ),
        [*keys[:200], *keys],
    )


def _pages(reader: Reader, setting: Setting) -> tuple[float, float]:
    answer = Answer(_queries(module.Rows)["paged"].query)

    def page(token: str) -> str:
        found = reader.run(
            lambda read: answer.json(read, {"least": 0, "page": token}),
            until=time.monotonic() + 5,
        )
        assert found is not None
        return str(json.loads(found)["next_page"])

    token = ""
    for _ in range(setting.view_pages - 1):
        token = page(token)
    return _median_us(page, [""] * 200), _median_us(page, [token] * 200)


def _searched(reader: Reader, setting: Setting) -> float:
    answer = Answer(_queries(module.Searched)["search"].query)
    words = [f"red item{number * 10}" for number in range(50)]
    words += [f"item{number * 31 % (setting.view_rows // 20 + 1)}" for number in range(50)]
    took_us = _median_us(
        lambda said: reader.run(
            lambda read: answer.json(read, {"words": said, "page": ""}),
            until=time.monotonic() + 30,
        ),
        words,
    )
    return took_us / 1000


def _median_us(ask: Callable[[str], object], keys: list[str]) -> float:
    took: list[float] = []
    for key in keys:
        started = perf_counter()
        ask(key)
        took.append(perf_counter() - started)
    return statistics.median(took) * 1e6
