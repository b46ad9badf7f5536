"""Which node a process is on."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from actorkalix_cluster.rayhost import nodes


@pytest.mark.parametrize("there, node", [(True, "ab12"), (False, "")])
def test_rays_processes_have_a_node(
    monkeypatch: pytest.MonkeyPatch, there: bool, node: str
) -> None:
    context = SimpleNamespace(get_node_id=lambda: "ab12")
    ray = SimpleNamespace(is_initialized=lambda: there, get_runtime_context=lambda: context)

    def module(_: str) -> SimpleNamespace:
        return ray

    monkeypatch.setattr(nodes, "module", module)
    assert nodes.this_node() == node
