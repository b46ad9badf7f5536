"""Bugs of services and of those who ask them: what a simulation is for, once ours are mended."""

from __future__ import annotations

from . import scenarios
from . import wrong_services as wrong
from .mutant import Mutant

_shelves = scenarios.Scenario(
    name="shelves",
    service=wrong.shelves,
    faults=scenarios.SLOW,
    operations=16,
    programs=(wrong.read_and_write,),
    invariants=(wrong.each_is_counted,),
)
_hospital = _shelves.but(
    name="hospital",
    service=wrong.hospital,
    programs=(wrong.look_and_leave,),
    invariants=(wrong.somebody_is_on_call,),
)
_wallets = _shelves.but(
    name="wallets",
    service=wrong.wallets,
    faults=scenarios.KILLS,
    operations=24,
    programs=(wrong.pay_again,),
    invariants=(wrong.each_order_is_paid_once,),
)
_transfers = _wallets.but(
    name="transfers",
    programs=(wrong.give_back_what_is_unknown,),
    invariants=(wrong.no_coin_is_made,),
)
_tagger = scenarios.kills.but(name="taggers", service=wrong.tagger, operations=24)

MUTANTS = (
    Mutant(
        "lost-update",
        "a client reads and writes in two calls",
        "each_is_counted",
        _shelves,
        right=_shelves.but(programs=(wrong.add_one,)),
    ),
    Mutant(
        "check-then-act",
        "a client looks at one entity and changes another",
        "somebody_is_on_call",
        _hospital,
        right=_hospital.but(
            service=wrong.wards,
            programs=(wrong.ask_to_leave,),
            invariants=(wrong.the_ward_is_not_empty,),
        ),
    ),
    Mutant(
        "sent-again-without-key",
        "a client sends a command again whose outcome is unknown",
        "each_order_is_paid_once",
        _wallets,
        right=_wallets.but(programs=(wrong.pay_with_key,)),
    ),
    Mutant(
        "unknown-undone",
        "a client undoes what may not have happened",
        "no_coin_is_made",
        _transfers,
        right=_transfers.but(programs=(wrong.give_once,)),
    ),
    Mutant(
        "module-variable",
        "a handler answers from a variable of its module",
        "linearizability",
        scenarios.full.but(service=wrong.cached),
        right=scenarios.full.but(name="cached-taggers", service=wrong.tagger),
    ),
    Mutant(
        "changed-in-place",
        "a handler changes the state that it was given",
        "service",
        _tagger.but(service=wrong.heaping),
        right=_tagger,
    ),
    Mutant(
        "clock-in-apply-event",
        "an event changes the state by the time at which it is applied",
        "linearizability",
        _tagger.but(service=wrong.clocked),
        right=_tagger,
    ),
    Mutant(
        "order-of-a-set",
        "a reply has the order of a set",
        "linearizability",
        _tagger.but(service=wrong.bagging),
        right=_tagger,
    ),
)
