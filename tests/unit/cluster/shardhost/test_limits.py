"""A host's own defaults are those of a service."""

from __future__ import annotations

from actorkalix.limits import Limits
from actorkalix.runtime.composition import host_limits
from actorkalix_cluster.shardhost.limits import HostLimits, LinkLimits


def test_defaults_agree() -> None:
    assert host_limits(Limits()) == HostLimits()


def test_limits_of_a_link_fit_each_other_and_those_of_a_service() -> None:
    limits, service = LinkLimits(), Limits()
    assert limits.reorder_max >= limits.batches_in_flight_max
    assert limits.queued_bytes_max >= 2 * service.command_bytes_max
    assert limits.gap_wait_ms >= service.ask_timeout.total_seconds() * 1000
    waits = [limits.resend_after_ms << each for each in range(limits.attempts_max - 1)]
    assert sum(min(wait, limits.resend_after_ms_max) for wait in waits) >= 4_000
