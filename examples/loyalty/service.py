"""A music shop's loyalty programme: each customer is an entity that adds up what was bought.

The shop's log is sent by a program that may crash and start over, so a customer keeps the number of
the last line that it has counted and counts no line twice, however late it arrives again.
"""

from dataclasses import dataclass, replace
from datetime import date

from actorkalix import Effect, EventSourcedEntity, Service, command, http, query


@dataclass(frozen=True)
class Customer:
    """What a customer has bought so far. Money is integer cents: floats do not add up."""

    customer_id: str
    purchases: int = 0
    cds: int = 0
    cents: int = 0
    last_line: int = 0
    last_day: date | None = None


@dataclass(frozen=True)
class Purchased:
    line: int
    day: date
    cds: int
    cents: int


class LoyalCustomer(EventSourcedEntity[Customer, Purchased], id="customer", snapshot_every=50):
    """A customer's lines arrive in the order of the log: up to `last_line` all are counted."""

    def empty_state(self) -> Customer:
        return Customer(self.entity_id)

    @command
    @http.post("/customers/{entity_id}/purchases")
    def record_purchase(self, line: int, day: date, cds: int, cents: int) -> Effect[Customer]:
        if line < 1:
            return self.effects.error(f"lines are numbered from 1, got {line}")
        if cds < 1:
            return self.effects.error(f"a purchase has at least one CD, got {cds}")
        if cents < 0:
            return self.effects.error(f"cents must not be negative, got {cents}")
        if line <= self.state.last_line:
            return self.effects.reply(self.state)
        return self.effects.persist(Purchased(line, day, cds, cents)).then_reply(
            lambda customer: customer
        )

    @query
    @http.get("/customers/{entity_id}")
    def summary(self) -> Customer:
        return self.state

    def apply_event(self, state: Customer, event: Purchased) -> Customer:
        return replace(
            state,
            purchases=state.purchases + 1,
            cds=state.cds + event.cds,
            cents=state.cents + event.cents,
            last_line=event.line,
            last_day=event.day,
        )


service = Service("loyalty", components=[LoyalCustomer])
