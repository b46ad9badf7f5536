"""The benchmarks on HTTP and on Ray run against the real thing, at sizes that measure nothing."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.benchmarks.load import drawn, each_once, load
from scripts.benchmarks.report import of_kind
from scripts.benchmarks.rows import Row, Setting
from scripts.benchmarks.serving import command, empty_server, kept
from scripts.benchmarks.suite import SUITE

ON_HTTP_OR_RAY = {
    "in-process": 1,
    "host-hop": 1,
    "http-command": 1,  # these begin with the same service, which is started once
    "http-latency": 1,
    "http-hot-key": 1,
    "http-query": 1,
    "hosts": 2,
    "overload": 5,
    "action-task": 2,
    "action-inline": 1,
    "dedicated": 7,
    "entities-start": 1,
    "entities-cold": 1,
    "entities-rate": 2,
    "view-lag": 1,
    "view-query": 2,
}


@pytest.fixture(scope="module", autouse=True)
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with kept(tmp_path_factory.mktemp("kept")):
        yield


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Setting:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    return Setting(
        scratch=tmp_path / "scratch",
        rounds=1,
        seconds=0.2,
        connections=2,
        keys=3,
        entities=(5, 20),
        cold=5,
        hosts=(1, 2),
        floods=1,
        flood_s=1.0,
        view_rate=100,
    )


@pytest.mark.parametrize("name,count", ON_HTTP_OR_RAY.items())
def test_rows(tiny: Setting, name: str, count: int) -> None:
    rows = of_kind({name: SUITE[name](tiny)}, Row)
    assert len(rows) == count
    for row in rows:
        may_be_nothing = row.unit in ("%", "MB")  # that went wrong, or was taken more than before
        assert row.value > 0 or may_be_nothing
        assert row.ratio is None or row.ratio > 0
    assert list(Path(tempfile.gettempdir()).iterdir()) == [], "nothing is left behind"


def test_each_request_is_sent_once() -> None:
    with empty_server() as port:
        taken = each_once(port, 3, [command(number) for number in range(20)])
        assert each_once(port, 3, [command(0)]).requests == 1
    assert (taken.connections, taken.requests) == (3, 20)


def test_failures_are_no_figures() -> None:
    with empty_server() as port, pytest.raises(RuntimeError, match="not 200"):
        load(port, 1, 0.1, drawn([b"GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n"]))
