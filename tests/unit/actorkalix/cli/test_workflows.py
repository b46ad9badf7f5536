"""`actorkalix workflows list|show|...`, on a folder at rest and through an admin port."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from actorkalix_storage.lmdbstore import open_store
from examples.transfer.service import service
from tests.unit.actorkalix.cli.answering import admin_of, answering
from tests.unit.actorkalix.cli.ran import Ran
from tests.unit.actorkalix.runtime.flows import filled
from tests.unit.actorkalix.runtime.stock import SHARDS

Cli = Callable[..., Ran]


@pytest.fixture(autouse=True)
def wide(plain: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is folded."""
    monkeypatch.setenv("COLUMNS", "220")


@pytest.fixture
def data(tmp_path: Path) -> str:
    """A folder at rest with four transfers."""
    folder = tmp_path / "data"
    store = open_store(folder, service=service.name, shards=SHARDS)
    filled(store)
    store.close()
    return str(folder)


@pytest.fixture
def admin() -> Iterator[str]:
    """URL of the admin port of a service with the same."""
    with answering(admin_of(service.descriptor, filled())) as url:
        yield url


def rows(out: str) -> list[list[str]]:
    return [line.split() for line in out.splitlines()[1:]]


@pytest.mark.parametrize("running", [True, False])
def test_they_are_listed(cli: Cli, running: bool, data: str, admin: str) -> None:
    where = ("--admin", admin) if running else ("--data", data)
    ran = cli("workflows", "list", "transfer", *where)
    assert ran.code == 0
    assert sorted(row[1:4] for row in rows(ran.out)) == [
        ["t-done", "ended", "deposit"],
        ["t-runs", "running", "deposit"],
        ["t-undone", "ended", "refunded"],
        ["t-waits", "waiting", "2023-11-14"],
    ]
    waits = cli("workflows", "list", "transfer", "--status", "waiting", *where, "--json")
    assert [one["workflow_id"] for one in waits.document["workflows"]] == ["t-waits"]
    assert "until 2023-11-17" in ran.out


def test_pages_and_nothing(cli: Cli, admin: str) -> None:
    ran = cli("workflows", "--limit", "1", "--admin", admin)
    assert "there are more: --page" in ran.err
    ran = cli("workflows", "list", "--status", "paused", "--admin", admin)
    assert (ran.code, ran.out) == (0, "")
    assert "there are no workflows" in ran.err


@pytest.mark.parametrize("running", [True, False])
def test_one_is_shown_as_a_timeline(cli: Cli, running: bool, data: str, admin: str) -> None:
    where = ("--admin", admin) if running else ("--data", data)
    ran = cli("workflows", "show", "transfer", "t-undone", *where)
    lines = [" ".join(line.split()) for line in ran.out.splitlines()]
    assert ran.code == 0
    assert lines[0] == "transfer t-undone ended · step refunded · the target is closed"
    assert lines[2].startswith("record time took what happened then")
    assert "command start running withdraw" in lines[3]
    assert "deposit, attempt 1: gave up: AK2001 wallet eve is closed" in lines[5]
    assert "undone: wallet/ann.refund running refunded" in lines[6]
    assert lines[7].endswith("ended: the target is closed")
    document = cli("workflows", "show", "transfer", "t-undone", *where, "--json").document
    assert [one["did"] for one in document["moments"]][-2:] == ["undone", "completed"]


def test_what_is_not_there(cli: Cli, admin: str) -> None:
    ran = cli("workflows", "show", "transfer", "nobody", "--admin", admin)
    assert (ran.code, ran.out) == (1, "")
    assert "nothing is stored of transfer 'nobody'" in ran.err
    ran = cli("workflows", "show", "wallet", "ann", "--admin", admin)
    assert "AK2003" in ran.err


@pytest.mark.parametrize(
    "words, said",
    [
        (("show",), "workflows show COMPONENT ID: one is missing"),
        (("suspend", "transfer"), "workflows suspend COMPONENT ID: one is missing"),
        (("resolve", "transfer", "t"), "the promise is missing"),
        (("resolve", "transfer", "t", "p", "{x"), "the value is no JSON"),
        (("explode",), "invalid choice"),
        (("list", "--status", "odd"), "invalid choice"),
    ],
)
def test_what_cannot_be_typed(cli: Cli, words: tuple[str, ...], said: str) -> None:
    ran = cli("workflows", *words)
    assert ran.code == 2
    assert said in ran.err


def test_nobody_runs_so_nothing_is_controlled(cli: Cli, data: str) -> None:
    ran = cli("workflows", "suspend", "transfer", "t-waits", "--data", data)
    assert "AK5002" in ran.err
    assert "no service runs on the folder" in ran.err
