"""A host's own defaults are those of a service."""

from __future__ import annotations

from actorkalix.limits import Limits
from actorkalix.runtime.composition import host_limits
from actorkalix_cluster.shardhost.limits import HostLimits


def test_defaults_agree() -> None:
    assert host_limits(Limits()) == HostLimits()
