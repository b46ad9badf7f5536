"""A process of one actor: begins, or says why it cannot; answers what it is asked."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from types import ModuleType
from typing import Any

import msgspec
import pytest

from actorkalix_cluster.rayhost import dedicated_process
from actorkalix_cluster.rayhost.actors import Making
from actorkalix_cluster.rayhost.contract import CallRefused, value_of
from actorkalix_cluster.rayhost.dedicated_process import (
    Begun,
    DedicatedProcess,
    DedicatedSpec,
    factory_named,
)

FACTORY = "actorkalix_test_answers"


class Context:
    """In place of Ray's."""

    def get_runtime_context(self) -> Context:
        """Itself."""
        return self

    def get_node_id(self) -> str:
        """One node."""
        return "here"


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Process ids whose ends end this process; it is none of Ray's, so nothing else is entered."""
    module = ModuleType(FACTORY)

    def made(config: bytes) -> Callable[[bytes], bytes]:
        if config == b"bad":
            raise ValueError("no such service")
        return lambda request: config + request

    vars(module)["made"] = made
    monkeypatch.setitem(sys.modules, FACTORY, module)
    watched: list[int] = []

    def die_with(pidfd: int) -> None:
        watched.append(pidfd)
        os.close(pidfd)

    def module_named(name: str) -> Context:
        return Context()

    def enter(making: Making, what: str) -> None:
        assert what == "dedicated"

    monkeypatch.setattr(dedicated_process, "module", module_named)
    monkeypatch.setattr(dedicated_process, "die_with", die_with)
    monkeypatch.setattr(dedicated_process, "enter", enter)
    return watched


def process(node: str = "here", config: bytes = b"c", **more: Any) -> DedicatedProcess:
    """One of a host in this process."""
    making = Making("p/", "n", "scratch", "handover", b"")
    spec = DedicatedSpec(f"{FACTORY}:made", config, making, node, os.getpid(), **more)
    return DedicatedProcess(msgspec.msgpack.encode(spec))


@pytest.mark.parametrize("node, watches", [("here", 1), ("there", 0)])
def test_it_begins_and_answers_and_ends_with_a_host_of_its_node(
    node: str, watches: int, watched: list[int]
) -> None:
    made = process(node)
    begun = msgspec.msgpack.decode(value_of(made.begin()), type=Begun)
    assert begun == Begun("here", os.getpid())
    assert made.here() == b""
    assert made.ask(b"1") == b"c1"
    for thread in threading.enumerate():
        if thread.name == "host-watch":
            thread.join()
    assert len(watched) == watches


@pytest.mark.parametrize(
    "changes, said", [({"config": b"bad"}, "no such service"), ({"protocol": 9}, "protocol 9")]
)
def test_why_it_cannot_begin_is_an_answer(
    changes: dict[str, Any], said: str, watched: list[int]
) -> None:
    with pytest.raises(CallRefused, match=said):
        value_of(process(**changes).begin())


def test_a_factory_is_imported_by_its_name(watched: list[int]) -> None:
    assert factory_named(f"{FACTORY}:made")(b"a")(b"b") == b"ab"
