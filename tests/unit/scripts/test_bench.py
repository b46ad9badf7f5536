"""The benchmarks run, at sizes that measure nothing (those on HTTP and Ray: tests/e2e)."""

from __future__ import annotations

import asyncio
import json
import tempfile
from pathlib import Path
from typing import Any

import msgspec
import pytest

from actorkalix_storage.lmdbstore import open_store, read_homes
from scripts.benchmarks import __main__ as bench
from scripts.benchmarks import dbos as peer
from scripts.benchmarks import dbos_flows
from scripts.benchmarks import workflows as flows
from scripts.benchmarks.dbos import STORES
from scripts.benchmarks.deliveries import subscriptions, topics
from scripts.benchmarks.entities import entities
from scripts.benchmarks.group_commit import group_commit
from scripts.benchmarks.growth import log_growth
from scripts.benchmarks.large import large_states
from scripts.benchmarks.load import Load, load_of
from scripts.benchmarks.memory import idle_memory
from scripts.benchmarks.replay import replayed
from scripts.benchmarks.report import cells, line, markdown
from scripts.benchmarks.rows import (
    Row,
    Setting,
    Target,
    at_least,
    at_most,
    latency_row,
    rate_row,
)
from scripts.benchmarks.simulation import simulated
from scripts.benchmarks.stock import stocked, store_of
from scripts.benchmarks.storm import activation_storm
from scripts.benchmarks.suite import SUITE
from scripts.benchmarks.timers import timers
from scripts.benchmarks.views import view_rebuild, view_rows
from scripts.benchmarks.workflows import workflow_memory, workflow_recovery, workflows

FAST = load_of(4, [0.001] * 100, 0.025)
SLOW = load_of(4, [0.002] * 98 + [0.004] * 2, 0.05)


@pytest.fixture(autouse=True)
def folders_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    monkeypatch.setattr(bench, "RESULTS", tmp_path / "bench" / "results.jsonl")


@pytest.fixture
def tiny(tmp_path: Path) -> Setting:
    return Setting(
        scratch=tmp_path / "scratch",
        rounds=1,
        seconds=0.02,
        connections=2,
        keys=3,
        clients=(1, 2),
        entities=(2, 5),
        cold=3,
        idle=20,
        storm=30,
        events=120,
        timers=40,
        waiting=60,
        updates=40,
        large=200_000,
        histories=2,
        view_events=100,
        view_rows=300,
        view_pages=3,
        workflows=20,
        peer_workflows=0,
        paused=30,
        running=20,
    )


# ---- benchmarks -------------------------------------------------------------------------------
def test_simulation(tiny: Setting) -> None:
    (row,) = simulated(tiny)
    assert row.value > 0
    assert row.unit == "histories/min"


def test_workflows(tiny: Setting) -> None:
    many, alone, *others, step = workflows(tiny)
    assert many.value > 0
    assert (many.beside, many.ratio) == ("DBOS on SQLite: not installed", None)
    assert "beside DBOS on SQLite: not installed" in line(many)
    assert (alone.connections, alone.unit) == (1, "workflows/s")
    assert [row.beside for row in others] == ["DBOS on PostgreSQL: not installed"] * 2
    assert (step.percentile, step.unit) == ("p50", "ms")


def test_workflows_beside_others(tiny: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    class Peer:
        def load(self, count: int, callers: int) -> Load:
            assert (count, callers) in ((8, 64), (2, 1))
            return FAST

    monkeypatch.setattr(flows, "dbos", lambda: dict(zip(STORES, (Peer(), None), strict=True)))
    many, alone, lacking, *_ = workflows(msgspec.structs.replace(tiny, peer_workflows=8))
    for row, factor in ((many, 12), (alone, 4)):
        assert (row.beside, row.other) == ("DBOS on SQLite", FAST.rate)
        assert row.ratio == row.value / FAST.rate
        assert row.targets == (Target("ratio", factor),)
    assert lacking.other is None
    assert lacking.met is None


def test_what_is_not_installed_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peer, "PEERS", tmp_path / "peers")
    assert peer.dbos(install=False) == dict.fromkeys(STORES)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(peer, "DEBIAN", tmp_path)
    for version in ("14", "15"):
        (tmp_path / version / "bin").mkdir(parents=True)
        for name in ("postgres", "initdb", "pg_ctl"):
            (tmp_path / version / "bin" / name).touch()
    (tmp_path / "15" / "bin" / "initdb").unlink()
    found = peer.postgres()
    assert found is not None
    assert found == tmp_path / "14" / "bin" or found.parts[1] == "usr"


def test_the_workflows_of_the_other_do_the_same() -> None:
    class Plain:
        @staticmethod
        def step(name: str = "") -> Any:
            def same(fn: Any) -> Any:
                return fn

            return same

        workflow = step

    taken, elapsed = asyncio.run(dbos_flows.load(dbos_flows.registered(Plain), 7, 3))
    assert len(taken) == 7
    assert elapsed > 0


@pytest.mark.timeout(240)
def test_workflow_memory_and_recovery(tiny: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    (memory,) = workflow_memory(tiny)
    assert memory.value >= 0
    (recovery,) = workflow_recovery(tiny)
    assert recovery.value > 0
    assert recovery.unit == "s"


def test_group_commit(tiny: Setting) -> None:
    points = group_commit(tiny)
    assert [point.clients for point in points] == [1, 2]
    for point in points:
        assert point.rate >= point.commits * 0.999 > 0  # one client: both are one figure, rounded
        assert 0 < point.p50_ms <= point.p99_ms
    assert list(Path(tempfile.gettempdir()).iterdir()) == [], "its stores are gone"


def test_entities(tiny: Setting) -> None:
    points = entities(tiny)
    assert [point.entities for point in points] == [2, 5]
    for point in points:
        assert min(point.open_ms, point.cold_ms, point.warm_ms, point.rate) > 0


def test_an_entity_with_many_events(tiny: Setting) -> None:
    (row,) = replayed(tiny)
    assert "of 120 events" in row.what
    assert row.value > 0


def test_views_in_process(tiny: Setting) -> None:
    (rebuilt,) = view_rebuild(tiny)
    assert "of 100 events" in rebuilt.what
    keyed, paged, searched = view_rows(tiny)
    assert (keyed.beside, paged.beside) == ("of 3 rows", "page 1")
    assert min(rebuilt.value, keyed.value, paged.value, searched.value) > 0


def test_the_data_file_under_updates(tiny: Setting) -> None:
    half, whole = log_growth(tiny)
    assert ("after 20 updates" in half.what, "after 40 updates" in whole.what) == (True, True)
    assert half.value > 0
    assert half.other == whole.other


def test_memory_of_idle_entities(tiny: Setting) -> None:
    live, left = idle_memory(tiny)
    assert (live.unit, left.unit) == ("bytes", "bytes")
    assert live.met is not None
    assert left.met is not None


def test_large_states_beside_others(tiny: Setting) -> None:
    felt, states = large_states(tiny)
    assert "0.2 MB" in felt.what
    assert felt.ratio is not None
    assert min(felt.value, felt.ratio, states.value) > 0
    assert (states.unit, states.durable) == ("states/s", True)


def test_a_storm_of_activations(tiny: Setting) -> None:
    felt, memory = activation_storm(tiny)
    assert "30 cold ones" in felt.what
    assert felt.ratio is not None
    assert min(felt.value, felt.ratio) > 0
    assert (memory.unit, memory.met) == ("MB", True)


# ---- stock ------------------------------------------------------------------------------------
def test_deliveries(tiny: Setting) -> None:
    events, lag = subscriptions(tiny)
    assert (events.unit, lag.unit, lag.percentile) == ("events/s", "ms", "p99")
    assert events.value > 0
    published, through = topics(tiny)
    assert published.value > 0
    assert 0 < through.value <= published.value * 1.01


def test_timers(tiny: Setting) -> None:
    started, fired, waiting = timers(tiny)
    assert (started.unit, fired.unit, waiting.unit) == ("timers/s", "calls/s", "%")
    assert started.value > 0
    assert fired.value > 0
    assert waiting.other is not None
    assert "60 timers that wait" in waiting.what


def test_stock_is_what_a_run_expects_and_made_once(tmp_path: Path) -> None:
    folder = stocked(tmp_path, 25)
    assert store_of(folder).name == "store-0"
    homes = read_homes(store_of(folder))
    assert homes is not None
    assert homes.stores() == (0,)
    store = open_store(store_of(folder), service="bench", create=False)
    ids = store.subjects("counter", limit=100)
    store.close()
    assert {name for _, name in ids} == {f"k{number}" for number in range(25)}
    made = folder.stat().st_ctime_ns
    assert stocked(tmp_path, 25).stat().st_ctime_ns == made


def test_stock_that_was_not_finished_is_made_anew(tmp_path: Path) -> None:
    folder = stocked(tmp_path, 1)
    folder.rename(tmp_path / f"{folder.name}.making")
    assert stocked(tmp_path, 1) == folder
    assert not (tmp_path / f"{folder.name}.making").exists()


# ---- rows -------------------------------------------------------------------------------------
def test_a_row_of_rates_has_medians_and_the_median_of_the_ratios() -> None:
    row = rate_row("mine", [FAST, SLOW, FAST], "other", [SLOW, SLOW, FAST], payload_bytes=12)
    assert (row.value, row.other, row.ratio) == (4000, 2000, 1.0)
    assert (row.connections, row.durable, row.payload_bytes, row.percentile) == (4, True, 12, "")
    assert row.met is None


def test_a_row_of_latencies_says_the_percentile() -> None:
    row = latency_row("mine", [SLOW], "other", [FAST], targets=(at_most(4, "ratio"),))
    assert (row.percentile, row.unit, row.value, row.other) == ("p50", "ms", 2.0, 1.0)
    assert row.p99_ms == 4.0
    assert row.met is True


@pytest.mark.parametrize(
    "target,met",
    [
        (at_least(10), True),
        (at_least(10.1), False),
        (at_most(10), True),
        (at_most(9.9), False),
        (at_least(1.25, "ratio"), True),
        (at_least(1.3, "ratio"), False),
        (at_most(2, "excess"), True),
        (at_most(1.9, "excess"), False),
    ],
)
def test_targets(target: Target, met: bool) -> None:
    row = Row(what="x", beside="y", unit="s", value=10, other=8, ratio=1.25, targets=(target,))
    assert row.met is met


def test_all_targets_are_to_be_reached() -> None:
    both = (at_least(1), at_least(2, "ratio"))
    row = Row(what="x", beside="y", unit="s", value=10, other=8, ratio=1.25, targets=both)
    assert row.met is False


# ---- said ------------------------------------------------------------------------------------
ROW = Row(
    what="a command",
    beside="nothing done",
    durable=True,
    payload_bytes=12,
    connections=64,
    percentile="p50",
    unit="ms",
    value=1.5,
    other=1000.0,
    ratio=0.0015,
    p99_ms=12.34,
    targets=(at_least(0.5, "ratio"), at_most(1, "excess"), at_least(40_000)),
)


def test_a_line_says_all_of_a_row() -> None:
    assert line(ROW) == (
        "a command (64 in flight, 12 bytes, durable, p50): 1.50 ms, p99 12.3 ms; "
        "0.00 x of 1,000 ms (nothing done); to reach ≥ 0.5 x, ≤ + 1 ms, ≥ 40,000 ms: missed"
    )
    assert line(Row(what="memory", unit="bytes", value=812)) == "memory: 812 bytes"


def test_a_table_has_a_cell_for_each_column() -> None:
    head, rule, full, bare = markdown([ROW, Row(what="memory", unit="bytes", value=812)]).split(
        "\n"
    )[:4]
    assert len({text.count("|") for text in (head, rule, full, bare)}) == 1
    assert cells(ROW)[1:5] == ("yes", "12 B", "64", "p50")
    assert "| missed |" in full
    assert bare.startswith("| memory | - | - | - | - | 812 bytes |")


# ---- the command ------------------------------------------------------------------------------
def test_the_command_says_rows_and_curves_and_appends_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(bench.QUICK, "clients", (1, 2))
    monkeypatch.setitem(SUITE, "replay", lambda setting: [ROW])
    quick = ["--quick", "--seconds", "0.02", "--only", "group-commit", "--only", "replay"]
    bench.main(quick)
    said = capsys.readouterr().out
    assert "a command (64 in flight" in said
    assert "clients" in said
    bench.main([*quick, "--json"])
    printed = json.loads(capsys.readouterr().out)
    lines = [json.loads(each) for each in bench.RESULTS.read_text(encoding="utf-8").splitlines()]
    assert lines[1] == printed
    for result in lines:
        assert list(result["results"]) == ["replay", "group-commit"]
        assert [each["clients"] for each in result["results"]["group-commit"]] == [1, 2]
        assert result["setting"]["seconds"] == 0.02
        assert result["machine"]["cores"] >= 1


def test_the_command_writes_a_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(SUITE, "replay", lambda setting: [ROW])
    bench.main(["--only", "replay", "--rounds", "3", "--report", str(tmp_path / "report")])
    assert "benchmarks.md" in capsys.readouterr().out
    text = (tmp_path / "report" / "benchmarks.md").read_text(encoding="utf-8")
    assert "medians of 3 rounds of 2 s" in text
    assert "| a command |" in text


def test_the_command_asks_for_as_many_entities_as_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, ...]] = []

    def take(setting: Setting) -> list[Row]:
        asked.append(setting.entities)
        return []

    monkeypatch.setitem(SUITE, "entities", take)
    for wanted in ("20000", "1000"):
        bench.main(["--only", "entities", "--entities", wanted])
    assert asked == [(1_000, 10_000, 20_000), (1_000,)]


def test_the_names_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    bench.main(["--list"])
    assert capsys.readouterr().out.split() == [*SUITE]
