"""A shopping cart: every change is an event, the cart is what the events add up to."""

from dataclasses import dataclass, replace

from actorkalix import Effect, EventSourcedEntity, Service, command, http, query


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


service = Service("shop", components=[ShoppingCart])
