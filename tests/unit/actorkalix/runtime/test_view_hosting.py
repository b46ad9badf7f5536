"""Views from a host's side: whom it keeps, what it hands over, what it offers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from actorkalix.errors import OwnerAway, ViewIncomplete
from actorkalix.limits import Limits
from actorkalix.runtime import view_hosting
from actorkalix.runtime.loading import resolve
from actorkalix.runtime.orders import HostConfig
from actorkalix.runtime.projecting import ViewConfig, WriterStats
from actorkalix.runtime.view_hosting import FACTORY, FEEDS, STATS, ViewHosting, views_of
from actorkalix_cluster.placement.keeping import keeper_of
from actorkalix_cluster.rayhost.actors import Making
from actorkalix_cluster.rayhost.companion import CompanionAway
from actorkalix_storage.api import HomeTable
from tests.e2e import counting_service
from tests.unit.actorkalix.runtime.counted import VIEW, clock, entities, service
from tests.unit.actorkalix.runtime.stock import SHARDS, Stock


class Kept:
    """In place of a companion."""

    def __init__(
        self, making: Making, name: str, factory: str, config: bytes, came: Callable[[], object]
    ) -> None:
        self.made_as = (making.prefix + name, factory)
        self.config = msgspec.msgpack.decode(config, type=ViewConfig)
        self.came = came
        self.pid = self.deaths = 0
        self.kept = False
        self.calls: list[tuple[str, bytes]] = []
        self.away = False
        self.closed = False

    def keep(self, ours: bool) -> None:
        """Remember whether."""
        self.pid = 77 if ours else 0
        self.kept = ours

    async def call(self, method: str, arguments: bytes = b"") -> bytes:
        """Answer as a view's process."""
        if self.away:
            raise CompanionAway("view-tallies is not there now")
        self.calls.append((method, arguments))
        return msgspec.msgpack.encode(
            WriterStats(77, handled=5, gaps=2, whole=True, node="n1", memory_bytes=9, cpu_s=1.5)
        )

    async def aclose(self) -> None:
        """Remember it."""
        self.closed = True


class Beside:
    """The other hosts."""

    def __init__(self, *present: int) -> None:
        self.present = set(present)

    async def call(self, store: int, method: str, arguments: bytes) -> bytes:
        """They are away."""
        raise OwnerAway(f"store {store}")


class Fed:
    """The host's feeds."""

    def __init__(self) -> None:
        self.feeds: dict[str, Any] = {}
        self.again: list[str] = []

    def begin_again(self, view: str) -> None:
        """Remember it."""
        self.again.append(view)


@pytest.fixture(autouse=True)
def no_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(view_hosting, "Companion", Kept)


def hosting(folder: Path, beside: Beside, fed: Fed) -> tuple[ViewHosting, Kept]:
    making = Making("shop/", "test", str(folder), "", b"")
    spec = resolve(f"{counting_service.__file__}:service", None)
    homes = HomeTable(1, ((0,),) * SHARDS)
    arguments: tuple[Any, ...] = (
        service.descriptor,
        HostConfig(spec, making=making),
        folder,
        Stock(entities).store,
        lambda: homes,
        beside,
        clock(),
        Limits(),
        lambda: fed,
    )
    made: Any = ViewHosting(*arguments)
    return made, made._companions[VIEW]


def test_it_keeps_a_views_process_when_hashing_says_so(tmp_path: Path) -> None:
    async def case() -> None:
        beside = Beside(0)
        views, kept = hosting(tmp_path, beside, Fed())
        assert kept.made_as == ("shop/view-tallies", FACTORY)
        assert (kept.config.view, kept.config.folder) == (VIEW, str(tmp_path))
        views.enroll()
        assert kept.pid
        other = next(n for n in range(1, 99) if keeper_of(f"view {VIEW}", (0, n)) == n)
        beside.present = {0, other}
        views.enroll()
        assert not kept.pid
        await views.aclose()
        assert kept.closed

    asyncio.run(case())


def test_batches_go_to_the_process(tmp_path: Path) -> None:
    async def case() -> None:
        views, kept = hosting(tmp_path, Beside(0), Fed())
        await views.apply(VIEW, b"batch")
        assert kept.calls == [("apply", b"batch")]
        kept.away = True
        with pytest.raises(CompanionAway):
            await views.apply(VIEW, b"batch")
        await views.aclose()

    asyncio.run(case())


def test_feeds_ask_anew_when_a_process_has_begun(tmp_path: Path) -> None:
    async def case() -> None:
        fed = Fed()
        views, kept = hosting(tmp_path, Beside(0), fed)
        kept.came()
        assert fed.again == [VIEW]
        await views.aclose()

    asyncio.run(case())


def test_what_a_host_offers_for_views(tmp_path: Path) -> None:
    async def case() -> None:
        views, kept = hosting(tmp_path, Beside(0), Fed())
        stats = await views.methods[STATS](msgspec.msgpack.encode(VIEW))
        assert msgspec.msgpack.decode(stats, type=WriterStats).handled == 5
        assert (
            msgspec.msgpack.decode(await views.methods[FEEDS](msgspec.msgpack.encode(None))) == []
        )
        kept.away = True
        for view in (VIEW, "other"):
            with pytest.raises(ViewIncomplete):
                await views.methods[STATS](msgspec.msgpack.encode(view))
        await views.aclose()

    asyncio.run(case())


def test_metrics_have_what_became_of_records_where_it_is_kept(tmp_path: Path) -> None:
    async def case() -> None:
        views, _ = hosting(tmp_path, Beside(0), Fed())
        [use] = views.uses()
        assert not use.keeps
        assert views.processes() == []
        views.enroll()
        [process] = views.processes()
        assert (process.state, process.pid, process.node) == ("serving", 77, "")
        for _ in range(5):
            await asyncio.sleep(0)
        [use] = views.uses()
        assert (use.view, use.keeps, use.handled, use.gaps, use.whole) == (VIEW, True, 5, 2, True)
        assert (use.memory_bytes, use.cpu_s) == (9, 1.5)
        [process] = views.processes()
        assert (process.component, process.node, process.memory_bytes) == (VIEW, "n1", 9)
        await views.aclose()

    asyncio.run(case())


def test_views_are_those_with_tables() -> None:
    assert [each.component_id for each in views_of(service.descriptor)] == [VIEW]
