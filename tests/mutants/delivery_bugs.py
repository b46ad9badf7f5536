"""Bugs of delivery: side effects, subscriptions and timers."""

from __future__ import annotations

from . import scenarios
from .mutant import Mutant
from .planting import edit

_HOST = "actorkalix_cluster.shardhost"

MUTANTS = (
    Mutant(
        "cursor-before-handler",
        "a cursor says that an entry is handled when it is handed over",
        "delivered_at_last",
        scenarios.followers,
        edit(
            f"{_HOST}.progress:Progress.through",
            "next(iter(self._open.values()), self.read)",
            "self.read",
        ),
    ),
    Mutant(
        "sent-without-a-look",
        "a message of the outbox counts as sent whatever its answer is",
        "effects_happen_once",
        scenarios.followers,
        edit(f"{_HOST}.outbox:Outbox._send", "if not is_over(failure):", "if False:"),
    ),
    Mutant(
        "outbox-lost-in-a-crash",
        "a shard that has messages to be sent is taken for one that has none when it is opened",
        "delivered_at_last",
        scenarios.followers,
        edit(f"{_HOST}.outbox:Outbox.nothing_after", "return state.outbox", "return 0"),
    ),
    Mutant(
        "skipped-when-behind",
        "what lands while a consumer is behind counts as read",
        "delivered_at_last",
        scenarios.behind,
        edit(
            f"{_HOST}.consumer:Consumer._filled",
            "self._behind[shard] = None\n    else:",
            "progress.skip(self._store.applied(shard))\n    else:",
        ),
    ),
    Mutant(
        "key-of-each-attempt",
        "derived keys differ from one delivery of a record to the next",
        "effects_happen_once",
        scenarios.followers,
        edit(
            f"{_HOST}.outbox:Outbox._send",
            "derived_key(entry.shard, entry.position, OUTBOX, number)",
            "derived_key(entry.shard, entry.position, self._reach._clock.now_ms(), number)",
        ),
    ),
    Mutant(
        "key-of-each-delivery",
        "a change has another key each time that it is delivered",
        "effects_happen_once",
        scenarios.followers,
        edit(
            "actorkalix.runtime.subscriptions:ActionSubscriber._change",
            "derived_key(entry.shard, at, self.consumer)",
            "derived_key(entry.shard, at, self._reach._clock.now_ms())",
        ),
    ),
    Mutant(
        "two-runs-of-a-lane",
        "a subject that is being handled is handed to a second run when more of it lands",
        "delivered_in_order",
        scenarios.followers,
        edit(
            f"{_HOST}.progress:Progress.take",
            "if not lane.entries and lane.state is LaneState.WAITING:",
            "if lane not in ready:",
        ),
    ),
    Mutant(
        "goes-on-behind-a-failure",
        "a subject goes on with its next entry when its consumer has failed on one",
        "delivered_in_order",
        scenarios.failing,
        edit(
            f"{_HOST}.consumer:Consumer._run",
            "self._failed(lane, failure)\n            return",
            "pass",
        ),
    ),
    Mutant(
        "parked-forgotten-at-restart",
        "cursors are read without the subjects that are parked",
        "delivered_at_last",
        scenarios.failing,
        edit(
            f"{_HOST}.progress:Progress.__init__",
            "for parked in self._written.parked:",
            "for parked in ():",
        ),
    ),
    Mutant(
        "pause-without-end",
        "a consumer that waits as a whole, all of it parked, never tries again",
        "service",
        scenarios.down,
        edit(
            f"{_HOST}.retries:Retries._due",
            "waits = paused and (self._runs.under_way > 0 or not self._patience.may_try(now_ms))",
            "waits = paused",
        ),
    ),
    Mutant(
        "forgotten-when-set-back",
        "a parked subject whose time has not come by the clock on the wall is not looked at again",
        "service",
        scenarios.set_back,
        edit(
            f"{_HOST}.retries:Retries._due",
            "paused = self._patience.paused",
            "if now_ms < lane.retry_ms:\n        return\n    paused = self._patience.paused",
        ),
    ),
    Mutant(
        "handed-over-before-disk",
        "entries are handed over when their commit begins",
        "delivered_when_durable",
        scenarios.followers,
        edit(
            f"{_HOST}.host:ShardHost.connect",
            "consumers.start(self._shards.numbers())",
            "consumers.start(self._shards.numbers())\n"
            "    put = self._commits.put\n"
            "    def early(flight):\n"
            "        put(flight)\n"
            "        append = flight.append\n"
            "        at = self._store.applied(append.shard)\n"
            "        offset = at.offset + len(append.records)\n"
            "        place = Position(at.lineage, append.epoch, offset)\n"
            "        consumers.landed(append, place)\n"
            "    self._commits.put = early",
        ),
    ),
    Mutant(
        "timer-early",
        "a timer rings when it is looked at, whatever the time",
        "timers_keep_their_time",
        scenarios.timers,
        edit(
            "actorkalix.engine.timer:TimerBehavior._expire",
            "if timer is None or now_ms < instance.look_ms:",
            "if timer is None:",
        ),
        edit(
            f"{_HOST}.timers:Timers._expire",
            "ripe = [d for d in due if d.at_ms <= now_ms]",
            "ripe = [d for d in due if d.at_ms <= now_ms + 5]",
        ),
    ),
    Mutant(
        "replaced-timer-rings",
        "a timer that is started under a name that there is keeps the call of the former one",
        "timers_keep_their_time",
        scenarios.timers,
        edit(
            "actorkalix.engine.timer:TimerBehavior._start",
            "due_ms = _first(plan, now_ms)",
            "due_ms = _first(plan, now_ms)\n"
            "        call = plan.call if instance.timer is None else instance.timer.plan.call\n"
            "        plan = msgspec.structs.replace(plan, call=call)",
        ),
    ),
    Mutant(
        "timer-lost-in-a-crash",
        "a timer is gone before its call is made",
        "timers_keep_their_time",
        scenarios.timers,
        edit(
            "actorkalix.engine.timer:TimerBehavior._expire",
            "return Step(instance, (), Reply(_ENCODER.encode(firing)))",
            "return _gone(instance, now_ms, firing)",
        ),
    ),
)
