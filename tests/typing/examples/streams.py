"""A stream between services as the documentation shows it, both of its sides."""
from dataclasses import dataclass
from datetime import timedelta
from actorkalix import Action, RowEffect, View, public_stream, publish, sql, stream, subscribe, table
from cart import CartEvent, CheckedOut, ShoppingCart

@dataclass(frozen=True)
class Sale:
    cart_id: str
@dataclass(frozen=True)
class Count:
    cart_id: str
    sales: int

class Public(Action, id="public", runs="inline"):
    @subscribe(ShoppingCart)
    @publish(public_stream("sales", Sale, allow=["billing", "x-*"], kept=timedelta(days=30)))
    async def tell(self, event: CartEvent) -> Sale | None:
        return Sale(self.context.subject) if isinstance(event, CheckedOut) else None

class Clerk(Action, id="clerk", runs="inline"):
    @subscribe(stream("shop", "sales", Sale), group="invoices")
    async def on_sale(self, sale: Sale) -> None:
        print(self.context.subject, sale.cart_id)

class Counts(View, id="counts"):
    @table("counts", source=stream("shop", "sales", Sale))
    def on_sale(self, row: Count | None, sale: Sale) -> RowEffect[Count]:
        return self.effects.update_row(Count(sale.cart_id, 1 + (row.sales if row else 0)))

    @sql("SELECT * FROM counts WHERE cart_id = :cart_id")
    def of(self, cart_id: str) -> Count:
        raise NotImplementedError
