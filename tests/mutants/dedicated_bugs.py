"""Bugs of entities that run elsewhere: what their host believes of what they did there."""

from __future__ import annotations

from . import scenarios
from .mutant import Mutant
from .planting import edit

_HOST = "actorkalix_cluster.shardhost"

MUTANTS = (
    Mutant(
        "elsewhere-on-a-refused-append",
        "what ran elsewhere on an append that failed meanwhile is believed",
        "linearizability",
        scenarios.far_full,
        edit(
            f"{_HOST}.away:Away._outcome",
            "if actor.state is not State.LIVE and message.kind is not MessageKind.QUERY:",
            "if False:",
        ),
    ),
    Mutant(
        "elsewhere-query-sees-what-is-not-durable",
        "queries of entities elsewhere are answered from the speculative instance",
        "linearizability",
        scenarios.far_full,
        edit(
            f"{_HOST}.driver:Driver._query",
            "away.run(actor, actor.durable,",
            "away.run(actor, actor.speculative,",
        ),
    ),
    Mutant(
        "elsewhere-not-loaded-again",
        "an actor whose append failed goes on with what is still elsewhere",
        "service",
        scenarios.far_full,
        edit(
            f"{_HOST}.resident:Resident._load",
            "self._instances.clear()",
            "newest = max(self._instances, default=-1)",
            "self._instances[0] = instance",
            "self._instances[0] = self._instances.get(newest, instance)",
        ),
    ),
    Mutant(
        "elsewhere-ended-and-told-as-stored",
        "a command whose place has ended is answered as if it had been stored",
        "linearizability",
        scenarios.far_ends,
        edit(
            f"{_HOST}.away:Away._outcome",
            "return Reply(failure=answer)",
            "return Reply(b'null')",
        ),
    ),
    Mutant(
        "elsewhere-two-lives",
        "an actor whose place has ended goes on as if the next place knew it",
        "service",
        scenarios.far_ends,
        edit(
            f"{_HOST}.away:Away._outcome", "broken(actor)\n        return Reply(", "return Reply("
        ),
    ),
    Mutant(
        "elsewhere-time-goes-back",
        "records keep the time at which their command left for its place",
        "times_never_go_back",
        scenarios.far_clocks,
        edit(f"{_HOST}.away:Away._step", "record.time_ms < time_ms", "False"),
    ),
)
