"""Bugs of the engine. The sequential model is made of the same engine, and has them too: what finds
them is that an entity answers otherwise after it was read back, or a rule that knows no model."""

from __future__ import annotations

from . import scenarios
from .mutant import Mutant
from .planting import edit

_ENGINE = "actorkalix.engine"

MUTANTS = (
    Mutant(
        "applied-twice-at-recovery",
        "an event changes the state twice when it is read back",
        "linearizability",
        scenarios.kills,
        edit(
            f"{_ENGINE}.event_sourced:EventSourcedBehavior._replay",
            "return self._apply(",
            "state = self._apply(entity, state, event, number, metadata or NO_METADATA)\n"
            "        return self._apply(",
        ),
    ),
    Mutant(
        "applied-twice-at-once",
        "an event changes the state twice when it is decided",
        "linearizability",
        scenarios.kills,
        edit(
            f"{_ENGINE}.event_sourced:EventSourcedBehavior._changes",
            "state = self._apply(entity, state, event, number, metadata)",
            "state = self._apply(entity, state, event, number, metadata)\n"
            "        state = self._apply(entity, state, event, number, metadata)",
        ),
    ),
    Mutant(
        "key-not-in-the-record",
        "key and reply are not written with the command's record",
        "one_execution_per_key",
        scenarios.retries,
        edit(
            f"{_ENGINE}.entity:EntityBehavior._remember",
            "key=key, reply=reply)\n        return",
            "key=b'', reply=reply)\n        return",
        ),
    ),
    Mutant(
        "refusal-not-remembered",
        "domain errors are not kept under a key",
        "one_execution_per_key",
        scenarios.retries.but(weights={"swap": 0, "tell": 0, "put": 0, "take": 3}),
        edit(
            f"{_ENGINE}.entity:EntityBehavior._refused",
            "if _is_keyed(message) and not message.key.startswith(DERIVED):",
            "if False:",
        ),
    ),
    Mutant(
        "number-forgotten",
        "a value entity counts anew after it was read back",
        "service",
        scenarios.kills,
        edit(f"{_ENGINE}.value:ValueBehavior.restore", "head.number,\n", "0,\n"),
    ),
    Mutant(
        "old-value-restored",
        "of several states in one life the first one is read back",
        "linearizability",
        scenarios.kills,
        edit(
            f"{_ENGINE}.value:ValueBehavior.restore",
            "state = self._stored.decode_state(history.records[-1].record.payload)",
            "state = self._stored.decode_state(history.records[-1].record.payload)\n"
            "            state = state if head.number % 3 else self._empty_state(entity)",
        ),
    ),
    Mutant(
        "expiry-forgotten",
        "a time to live is not read back",
        "lives_end_once",
        scenarios.leases,
        edit(f"{_ENGINE}.value:ValueBehavior.restore", "head.expires_ms", "0"),
    ),
    Mutant(
        "expired-at-recovery",
        "what is past its time by the clock on the wall is taken for deleted when it is read back",
        "lives_end_once",
        scenarios.leases,
        edit(
            "actorkalix_cluster.shardhost.live:LiveActors._loaded",
            "instance = actor.behavior.restore(actor.entity, found)\n",
            "instance = actor.behavior.restore(actor.entity, found)\n"
            "                if 0 < instance.expires_ms <= self._clock.now_ms():\n"
            "                    from msgspec.structs import replace\n"
            "                    instance = replace(instance, deleted_ms=1)\n",
        ),
    ),
    Mutant(
        "late-write-revives",
        "a command that comes after an entity's time is handled as any other",
        "lives_end_once",
        scenarios.leases,
        edit(
            f"{_ENGINE}.entity:EntityBehavior.step",
            "over = 0 < instance.expires_ms <= now_ms",
            "over = 0 < instance.expires_ms <= now_ms and outcome is not Outcome.HANDLE",
        ),
    ),
    Mutant(
        "key-of-another-request",
        "a key that was used answers any request",
        "one_execution_per_key",
        scenarios.retries,
        edit(
            f"{_ENGINE}.entity:EntityBehavior.remembered",
            "if stored.request != self._request_digest(message):",
            "if False:",
        ),
    ),
)
