"""A shopping cart: every change is an event, the cart is what the events add up to.

A view keeps a row for each cart, so that carts can be listed and searched.
"""

from dataclasses import dataclass, replace

from actorkalix import (
    Effect,
    EventSourcedEntity,
    RowEffect,
    Service,
    View,
    command,
    http,
    query,
    sql,
    table,
)


@dataclass(frozen=True)
class LineItem:
    product_id: str
    name: str
    quantity: int


@dataclass(frozen=True)
class Cart:
    cart_id: str
    items: tuple[LineItem, ...] = ()
    checked_out: bool = False


@dataclass(frozen=True)
class ItemAdded:
    item: LineItem


@dataclass(frozen=True)
class CheckedOut:
    pass


CartEvent = ItemAdded | CheckedOut


class ShoppingCart(EventSourcedEntity[Cart, CartEvent], id="shopping-cart", snapshot_every=100):
    def empty_state(self) -> Cart:
        return Cart(self.entity_id)

    @command
    def add_item(self, item: LineItem) -> Effect[Cart]:
        if self.state.checked_out:
            return self.effects.error("the cart is already checked out", code="failed_precondition")
        if item.quantity <= 0:
            return self.effects.error(f"quantity must be positive, got {item.quantity}")
        return self.effects.persist(ItemAdded(item)).then_reply(lambda cart: cart)

    @command
    @http.post("/carts/{entity_id}/checkout")
    def checkout(self) -> Effect[Cart]:
        return self.effects.persist(CheckedOut()).then_reply(lambda cart: cart)

    @query
    @http.get("/carts/{entity_id}")
    def get_cart(self) -> Cart:
        return self.state

    def apply_event(self, state: Cart, event: CartEvent) -> Cart:
        match event:
            case ItemAdded(item):
                return replace(state, items=(*state.items, item))
            case CheckedOut():
                return replace(state, checked_out=True)


@dataclass(frozen=True)
class CartRow:
    cart_id: str
    names: tuple[str, ...] = ()
    quantity: int = 0
    checked_out: bool = False


@dataclass(frozen=True)
class CartPage:
    carts: list[CartRow]
    total: int
    next_page: str


@dataclass(frozen=True)
class Found:
    carts: list[CartRow]


class Carts(View, id="cart-rows"):
    @table("carts", source=ShoppingCart)
    def on_event(self, row: CartRow | None, event: CartEvent) -> RowEffect[CartRow]:
        row = row or CartRow(self.context.subject)
        match event:
            case ItemAdded(item):
                names = (*row.names, item.name)
                quantity = row.quantity + item.quantity
                return self.effects.update_row(replace(row, names=names, quantity=quantity))
            case CheckedOut():
                return self.effects.update_row(replace(row, checked_out=True))

    @sql(
        """SELECT * AS carts, total_count() AS total, next_page_token() AS next_page
           FROM carts WHERE checked_out = :checked_out
           ORDER BY quantity DESC, cart_id LIMIT 20 OFFSET page_token_offset(:page)"""
    )
    @http.get("/carts")
    def by_status(self, checked_out: bool = False, page: str = "") -> CartPage:
        raise NotImplementedError

    @sql(
        """SELECT * AS carts FROM carts
           WHERE text_search(names, :words, 'english') ORDER BY cart_id LIMIT 100"""
    )
    def search(self, words: str) -> Found:
        raise NotImplementedError


service = Service("shop", components=[ShoppingCart, Carts])
