"""Wrong uses of streams between services."""

from actorkalix import Action, RowEffect, View, public_stream, publish, stream, subscribe, table
from cart import CartEvent, ShoppingCart
from streams import Count, Sale


class Offers(Action, id="offers"):
    @subscribe(ShoppingCart)
    # case: a stream that says nothing of who may read it
    @publish(public_stream("sales", Sale))
    async def tell(self, event: CartEvent) -> Sale | None: ...

    @subscribe(ShoppingCart)
    # case: services that are no names
    @publish(public_stream("sales", Sale, allow=[ShoppingCart]))
    async def tell2(self, event: CartEvent) -> Sale | None: ...

    # case: a stream without its service
    @subscribe(stream("sales"))
    async def on_sale(self, sale: Sale) -> None: ...

    # case: typed stream with another message type
    @subscribe(stream("shop", "sales", Sale))
    async def on_count(self, sale: Count) -> None: ...

    # case: how long, as a number
    @subscribe(stream("shop", "sales", Sale, kept=30))
    async def on_kept(self, sale: Sale) -> None: ...


class Rows(View, id="rows-of-streams"):
    # case: table of a typed stream with another message type
    @table("counts", source=stream("shop", "sales", Sale))
    def on_sale(self, row: Count | None, sale: Count) -> RowEffect[Count]: ...
