"""Bugs of the shard host: what leaves when, and what comes back from a commit."""

from __future__ import annotations

from . import scenarios
from .mutant import Mutant
from .planting import edit

_HOST = "actorkalix_cluster.shardhost"

MUTANTS = (
    Mutant(
        "reply-before-commit",
        "a command is answered when its commit begins",
        "durability",
        scenarios.kills,
        edit(
            f"{_HOST}.driver:Driver._stepped",
            "self._commits.put(flight)",
            "self._desk.answer(ticket, placed(step.reply, actor))\n"
            "    flight.ticket = self._desk.open(ticket.message)\n"
            "    self._commits.put(flight)",
        ),
    ),
    Mutant(
        "query-sees-what-is-not-durable",
        "queries are answered from the speculative instance",
        "linearizability",
        scenarios.full,
        edit(
            f"{_HOST}.driver:Driver._query",
            "self._run(actor, actor.durable,",
            "self._run(actor, actor.speculative,",
        ),
    ),
    Mutant(
        "refusal-before-commit",
        "what wrote nothing is answered while what it rests on is in flight",
        "linearizability",
        scenarios.full,
        edit(f"{_HOST}.driver:Driver._answer_after_flights", "if actor.flights:", "if False:"),
    ),
    Mutant(
        "durable-too-early",
        "the first flight that lands makes durable what later ones did",
        "linearizability",
        scenarios.full,
        edit(
            f"{_HOST}.landing:Landing._landed",
            "actor.durable = flight.instance",
            "actor.durable = actor.speculative",
        ),
    ),
    Mutant(
        "two-commands-at-once",
        "a command is run on what is durable, not on what the one before it left",
        "nothing_is_refused",
        scenarios.calm,
        edit(
            f"{_HOST}.driver:Driver._step",
            "step = self._run(actor, actor.speculative, ticket.message, now_ms)",
            "step = self._run(actor, actor.durable, ticket.message, now_ms)",
        ),
    ),
    Mutant(
        "two-commands-unchecked",
        "the same, in a store that does not check versions and numbers",
        "linearizability",
        scenarios.calm,
        edit(
            f"{_HOST}.driver:Driver._step",
            "step = self._run(actor, actor.speculative, ticket.message, now_ms)",
            "step = self._run(actor, actor.durable, ticket.message, now_ms)",
        ),
        edit(
            "actorkalix_storage.batch:_invalid_record",
            "if record.number != number + 1:",
            "if False:",
        ),
    ),
    Mutant(
        "speculated-on-a-refusal",
        "an actor whose append failed goes on with what it would have become",
        "linearizability",
        scenarios.full,
        edit(f"{_HOST}.landing:Landing._fail", "self._live.drop(actor, Turn.REFUSED)", "return"),
    ),
    Mutant(
        "failed-flights-not-voided",
        "what was speculated on a failed append is written nevertheless",
        "service",
        scenarios.full,
        edit(f"{_HOST}.landing:Landing._fail", "flight.void = True", "flight.void = False"),
    ),
    Mutant(
        "failure-told-as-refusal",
        "a sync that failed is told as not executed, so the router sends it again",
        "linearizability",
        scenarios.broken,
        edit(
            f"{_HOST}.host:ShardHost._fatal",
            'failures.durability_lost(f"the store failed ({number}), its host has ended")',
            "failures.host_away()",
        ),
    ),
    Mutant(
        "pending-dropped",
        "an actor that leaves memory takes its waiting messages along",
        "nothing_is_lost",
        scenarios.waiting,
        edit(f"{_HOST}.live:LiveActors.drop", "if actor.mailbox:", "if False:"),
    ),
    Mutant(
        "passivated-in-flight",
        "an actor leaves memory while its appends are in flight",
        "service",
        scenarios.forgetful,
        edit(f"{_HOST}.actor:Actor.busy", "self.flights or self.mailbox", "self.mailbox"),
    ),
    Mutant(
        "key-at-work-not-joined",
        "a key that is at work is executed a second time",
        "one_execution_per_key",
        scenarios.retries,
        edit(
            f"{_HOST}.driver:Driver._command",
            "at_work = actor.keys.get(key)",
            "at_work = None",
        ),
    ),
    Mutant(
        "key-not-looked-up",
        "the store is not asked whether a key was used",
        "one_execution_per_key",
        scenarios.retries,
        edit(
            f"{_HOST}.driver:Driver._command",
            "elif actor.behavior.version(actor.durable) == 0:",
            "elif True:",
        ),
    ),
    Mutant(
        "position-not-moved",
        "answers carry the place of the record before",
        "answers_never_go_back",
        scenarios.kills,
        edit(f"{_HOST}.landing:Landing._landed", "actor.position = position\n", "pass\n"),
    ),
    Mutant(
        "snapshot-without-its-last-event",
        "a snapshot says that it ends one record before it does",
        "linearizability",
        scenarios.kills,
        edit(
            f"{_HOST}.upkeep:Upkeep.keep",
            "offset=position.offset",
            "offset=position.offset - 1",
        ),
    ),
    Mutant(
        "snapshot-of-what-comes",
        "a snapshot has what is still in flight",
        "linearizability",
        scenarios.kills,
        edit(
            f"{_HOST}.landing:Landing._landed",
            "self._snapshot(actor, flight.instance, position)",
            "self._snapshot(actor, actor.speculative, position)",
        ),
    ),
    Mutant(
        "shard-time-goes-back",
        "records carry the time of the host, which may have been set back",
        "times_never_go_back",
        scenarios.clocks,
        edit(
            f"{_HOST}.shards:Shards.now_ms",
            "max(self._clock.now_ms(), shard.time_ms)",
            "self._clock.now_ms()",
        ),
    ),
    Mutant(
        "answer-on-a-refused-append",
        "what rests on an append that failed is answered as if it had not",
        "linearizability",
        scenarios.full,
        edit(
            f"{_HOST}.landing:Landing._fail",
            "*flight.joined, *(ticket for ticket, _ in flight.rests)):",
            "*flight.joined):",
            "for key in (flight.key, *flight.parts):",
            "for ticket, seen in flight.rests:\n"
            "            self._desk.answer(ticket, seen)\n"
            "        for key in (flight.key, *flight.parts):",
        ),
    ),
    Mutant(
        "joined-not-answered",
        "who asks under a key that is at work is never answered",
        "service",
        scenarios.retries,
        edit(
            f"{_HOST}.landing:Landing._landed", "for ticket in flight.joined:", "for ticket in ():"
        ),
    ),
    Mutant(
        "shard-time-not-read-back",
        "the time of a shard's newest record is forgotten when its store is opened",
        "times_never_go_back",
        scenarios.skewed,
        edit(f"{_HOST}.shards:Shards.opened", "store.shard(number).time_ms", "0"),
    ),
    Mutant(
        "former-owner-is-asked",
        "clients go on calling a host whose store another has opened: its queries and refusals "
        "are of the past",
        "linearizability",
        scenarios.twins,
        edit(
            "actorkalix.testkit.simulation.world:World.serving",
            "return [",
            "return [*self._former] + [",
        ),
    ),
)
