"""A music shop's loyalty programme: each customer is an entity that adds up what was bought.

The shop's log is sent by a program that may crash and start over, so a customer keeps the number of
the last line that it has counted and counts no line twice, however late it arrives again.

    customer --Purchased--> Ledger --"purchases"--> Sales: a row for each purchase
         |                            topic              a row for each customer
         '-----------------------------------------------^

What the shop as a whole has sold is asked of the view: by month, by customer, by the month in which
customers came. Who has bought for enough rises to a tier, and gets a statement every month:

    customer --Purchased--> Programme --rise--> Membership
                                | a timer, on the first of each month
                                '--"statements"--> a topic
"""

from dataclasses import dataclass, replace
from datetime import date

from actorkalix import (
    Action,
    Effect,
    EventSourcedEntity,
    RowEffect,
    Service,
    ValueEntity,
    View,
    command,
    handler,
    http,
    publish,
    query,
    sql,
    subscribe,
    table,
    topic,
)


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


# ---- what the shop has sold ----------------------------------------------------------------------
@dataclass(frozen=True)
class Sale:
    """A purchase as the shop sees it."""

    customer_id: str
    month: str
    cds: int
    cents: int


SALES = topic("purchases", Sale)


def month_of(day: date) -> str:
    """The month of a day: 1997-01."""
    return f"{day:%Y-%m}"


class Ledger(Action, id="ledger", runs="inline"):
    """Publishes each purchase under the number of its line, for a view has a row a subject."""

    @subscribe(LoyalCustomer)
    @publish(SALES)
    async def on_purchase(self, event: Purchased) -> Effect[Sale]:
        sale = Sale(self.context.subject, month_of(event.day), event.cds, event.cents)
        return self.effects.reply(sale).with_metadata({"ce-subject": str(event.line)})


@dataclass(frozen=True)
class Buyer:
    customer_id: str
    cohort: str  # month of the first purchase
    purchases: int = 0
    cents: int = 0


@dataclass(frozen=True)
class Month:
    month: str
    purchases: int
    cents: int


@dataclass(frozen=True)
class Months:
    months: list[Month]


@dataclass(frozen=True)
class Best:
    customers: list[Buyer]


@dataclass(frozen=True)
class Cohort:
    """What those who came in one month bought in another."""

    cohort: str
    month: str
    customers: int
    cents: int


@dataclass(frozen=True)
class Cohorts:
    cohorts: list[Cohort]


class Sales(View, id="sales"):
    sales = table("sales", source=SALES)

    @table("buyers", source=LoyalCustomer)
    def on_purchase(self, row: Buyer | None, event: Purchased) -> RowEffect[Buyer]:
        row = row or Buyer(self.context.subject, month_of(event.day))
        return self.effects.update_row(
            replace(row, purchases=row.purchases + 1, cents=row.cents + event.cents)
        )

    @sql(
        """SELECT (month, count(*) AS purchases, sum(cents) AS cents) AS months
           FROM sales GROUP BY month ORDER BY month"""
    )
    def by_month(self) -> Months:
        raise NotImplementedError

    @sql("SELECT * AS customers FROM buyers ORDER BY cents DESC, customer_id LIMIT :most")
    def best(self, most: int = 10) -> Best:
        raise NotImplementedError

    @sql(
        """SELECT (buyers.cohort, sales.month, count(DISTINCT buyers.customer_id) AS customers,
                   sum(sales.cents) AS cents) AS cohorts
           FROM buyers JOIN sales ON sales.customer_id = buyers.customer_id
           GROUP BY buyers.cohort, sales.month ORDER BY buyers.cohort, sales.month"""
    )
    def cohorts(self) -> Cohorts:
        raise NotImplementedError


# ---- tiers and statements ------------------------------------------------------------------------
TIERS = {"bronze": 0, "silver": 20_000, "gold": 50_000}
"""Cents for which one has bought who is in a tier, the lowest first."""

EVERY_MONTH = "0 6 1 * *"  # on the first, at six


def tier_of(cents: int) -> str:
    """The tier of somebody who has bought for so much."""
    return [tier for tier, least in TIERS.items() if cents >= least][-1]


@dataclass(frozen=True)
class Member:
    tier: str = "bronze"
    since: date | None = None


class Membership(ValueEntity[Member], id="membership"):
    """A customer's tier, which only rises."""

    def empty_state(self) -> Member:
        return Member()

    @command
    def rise(self, tier: str, day: date) -> Effect[bool]:
        """Rise to a tier; whether that is one up."""
        if tier not in TIERS:
            return self.effects.error(f"there is no tier {tier!r}, there are {', '.join(TIERS)}")
        if TIERS[tier] <= TIERS[self.state.tier]:
            return self.effects.reply(False)
        return self.effects.update_state(Member(tier, day)).then_reply(lambda member: True)

    @query
    @http.get("/customers/{entity_id}/membership")
    def get(self) -> Member:
        return self.state


@dataclass(frozen=True)
class Statement:
    customer_id: str
    tier: str
    purchases: int
    cents: int


STATEMENTS = topic("statements", Statement)


class Programme(Action, id="programme", runs="inline"):
    """Has customers rise; those above bronze get a statement every month."""

    @subscribe(LoyalCustomer)
    async def on_purchase(self, event: Purchased) -> None:
        name = self.context.subject
        customer = await self.client.entity(LoyalCustomer, name).summary()
        tier = tier_of(customer.cents)
        if tier == "bronze":
            return
        if await self.client.entity(Membership, name).rise(tier, event.day):
            call = self.client.action(Programme).issue_statement(name)
            await self.timers.start_periodic(f"statement-{name}", cron=EVERY_MONTH, call=call)

    @handler
    @publish(STATEMENTS)
    async def issue_statement(self, customer_id: str) -> Effect[Statement]:
        customer = await self.client.entity(LoyalCustomer, customer_id).summary()
        member = await self.client.entity(Membership, customer_id).get()
        said = Statement(customer_id, member.tier, customer.purchases, customer.cents)
        return self.effects.reply(said).with_metadata({"ce-subject": customer_id})


service = Service("loyalty", components=[LoyalCustomer, Ledger, Sales, Membership, Programme])
