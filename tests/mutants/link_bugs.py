"""Bugs between hosts: links, sessions, and the router."""

from __future__ import annotations

from . import scenarios
from .mutant import Mutant
from .planting import edit

_HOST = "actorkalix_cluster.shardhost"

MUTANTS = (
    Mutant(
        "sent-again-after-unknown",
        "commands that had left for a host that ended are sent to the next one",
        "linearizability",
        scenarios.kills,
        edit(
            f"{_HOST}.link:Link._give_back",
            "failure = failures.outcome_unknown(reason)",
            "failure = failures.host_away()",
        ),
    ),
    Mutant(
        "batch-twice",
        "a receiver forgets which batches it has taken",
        "linearizability",
        scenarios.lossy,
        edit(
            f"{_HOST}.link_receiver:Receiver.take",
            "if number < self.next or number in self._early:\n        return []",
            "if number < self.next or number in self._early:\n        return [batch]",
        ),
    ),
    Mutant(
        "former-session-taken",
        "batches of a session that was given up are taken",
        "linearizability",
        scenarios.patient,
        edit(
            f"{_HOST}.link_receiver:Receiver.take",
            "elif session < self.session or self._broken:",
            "elif False:",
        ),
    ),
    Mutant(
        "taken-forgotten",
        "a broken session says that it has taken nothing",
        "linearizability",
        scenarios.patient,
        edit(
            f"{_HOST}.link:Link._restart",
            "self._receiver.taken)",
            "0)",
        ),
    ),
    Mutant(
        "gap-overlooked",
        "a receiver takes batches whose forerunner is missing",
        "nothing_is_lost",
        scenarios.lossy,
        edit(
            f"{_HOST}.link_receiver:Receiver.take",
            "while self.next in self._early:",
            "self.next = number\n    while self.next in self._early:",
        ),
    ),
    Mutant(
        "resend-given-up",
        "a batch that failed is not sent again",
        "nothing_is_lost",
        scenarios.lossy,
        edit(f"{_HOST}.link_sender:Sender._again", "if not self._ended", "if self._ended"),
    ),
    Mutant(
        "parked-sent-twice",
        "a message that waited for an owner is sent to it two times",
        "linearizability",
        scenarios.kills,
        edit(
            f"{_HOST}.router:Router._went",
            "ticket = target.send(parked.message)",
            "target.send(parked.message)\n    ticket = target.send(parked.message)",
        ),
    ),
    Mutant(
        "home-table-ignored",
        "everything is sent to the first store",
        "nothing_is_refused",
        scenarios.calm,
        edit(f"{_HOST}.router:Router.begin", "home = self._homes[shard][0]", "home = 0"),
        edit(f"{_HOST}.router:Router._went", "self._homes[parked.shard][0]", "0"),
    ),
    Mutant(
        "too-late-told-as-refused",
        "who gave up waiting is told that nothing was executed",
        "durability",
        scenarios.severed,
        edit(
            f"{_HOST}.asked:too_late",
            "if ticket.drop() or ticket.message.kind is MessageKind.QUERY:",
            "if ticket.drop() or True:",
        ),
    ),
    Mutant(
        "parked-forgotten",
        "nobody sends what waits for an owner when that is back",
        "service",
        scenarios.replaced,
        edit(f"{_HOST}.router:Router._release", "if not lines:", "if lines:"),
    ),
    Mutant(
        "taken-told-as-not-taken",
        "what a broken session had taken is sent again",
        "linearizability",
        scenarios.patient,
        edit(
            f"{_HOST}.link:Link._give_back",
            "never = taken is not None and number > taken",
            "never = taken is not None",
        ),
    ),
)
