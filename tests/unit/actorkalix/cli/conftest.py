"""The command line in this process, without a terminal, and a data folder at rest to look into."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from actorkalix.cli import main
from actorkalix_storage.lmdbstore import open_store
from tests.unit.actorkalix.cli.answering import admin_of, answering
from tests.unit.actorkalix.cli.billing import Billing
from tests.unit.actorkalix.cli.ran import Ran
from tests.unit.actorkalix.gateway.viewed import Viewed
from tests.unit.actorkalix.runtime import shop
from tests.unit.actorkalix.runtime.failing import mend
from tests.unit.actorkalix.runtime.stock import SHARDS, Stock

SHOP = f"{shop.__file__}:service"


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No colours, a width of its own, and imports that are forgotten afterwards."""
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    monkeypatch.delenv("ACTORKALIX_DEBUG", raising=False)
    monkeypatch.setattr(sys, "path", [*sys.path])
    known = set(sys.modules)
    yield
    for name in set(sys.modules) - known - {"actorkalix"}:
        if name in ("shop", "h7cli"):
            del sys.modules[name]


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """Runs a command line."""

    def run(*words: str) -> Ran:
        code = main(words)
        captured = capsys.readouterr()
        return Ran(code, captured.out, captured.err)

    return run


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder at rest with three carts and a profile."""
    folder = tmp_path / "data"
    store = open_store(folder, service="shop", shards=SHARDS)
    fill(Stock(shop.service.descriptor, store))
    store.close()
    return folder


@pytest.fixture
def stock() -> Stock:
    """A service's store, in memory, with the same in it as `data`."""
    stock = Stock(shop.service.descriptor)
    fill(stock)
    return stock


@pytest.fixture
def admin(stock: Stock) -> Iterator[str]:
    """URL of the admin port of a running service over `stock`."""
    with answering(admin_of(shop.service.descriptor, stock)) as url:
        yield url


def fill(stock: Stock) -> None:
    """Three carts and a profile."""
    for item in ("pen", "ink", "pad", "cap"):
        stock.send("cart", "c1", "add", item=item)
    stock.send("cart", "c1", "remove", key="k1", item="pad", reason="too dear")
    stock.send("cart", "c2", "add", item="pen")
    stock.send("cart", "ü/?", "add", item="pen")
    stock.send("profile", "p1", "rename", name="Ada")


@pytest.fixture
def billing(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """URL of the admin port of a service whose consumers have failed."""
    monkeypatch.setenv("COLUMNS", "300")
    mend()
    with answering(Billing()) as url:
        yield url
    mend()


@pytest.fixture
def viewed(stock: Stock, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """URL of the admin port of a service with views."""
    monkeypatch.setenv("COLUMNS", "300")
    with answering(admin_of(shop.service.descriptor, stock, Viewed())) as url:
        yield url
