"""Billing: writes an invoice for each sale of the shop, and knows who has bought for how much."""

from __future__ import annotations

from dataclasses import dataclass

from actorkalix import (
    Action,
    Effect,
    RowEffect,
    Service,
    ValueEntity,
    View,
    command,
    http,
    query,
    sql,
    stream,
    subscribe,
    table,
)


@dataclass(frozen=True)
class Sale:
    """A sale as the shop tells it; billing has a class of its own for it."""

    customer: str
    cents: int


SALES = stream("shop", "sales", Sale)


@dataclass(frozen=True)
class Invoice:
    """What a customer has to pay."""

    customer: str
    cents: int = 0


class Invoices(ValueEntity[Invoice], id="invoice"):
    """One invoice a cart."""

    def empty_state(self) -> Invoice:
        return Invoice(self.entity_id)

    @command
    def write(self, sale: Sale) -> Effect[None]:
        invoice = Invoice(sale.customer, sale.cents)
        return self.effects.update_state(invoice).then_reply(None)

    @query
    @http.get("/invoices/{entity_id}")
    def get(self) -> Invoice:
        return self.state


class Clerk(Action, id="clerk", runs="inline"):
    """Follows the shop."""

    @subscribe(SALES)
    async def on_sale(self, sale: Sale) -> None:
        await self.client.entity(Invoices, self.context.subject).write(sale)


@dataclass(frozen=True)
class Customer:
    """Who has bought."""

    customer: str
    cents: int


@dataclass(frozen=True)
class Customers:
    """The best ones."""

    customers: list[Customer]


class Best(View, id="best"):
    """Customers by what they have bought for."""

    @table("customers", source=SALES)
    def on_sale(self, row: Customer | None, sale: Sale) -> RowEffect[Customer]:
        cents = sale.cents + (row.cents if row is not None else 0)
        return self.effects.update_row(Customer(sale.customer, cents))

    @sql("SELECT * AS customers FROM customers ORDER BY cents DESC LIMIT 10")
    @http.get("/best-customers")
    def ten(self) -> Customers:
        raise NotImplementedError


service = Service("billing", components=[Invoices, Clerk, Best])
