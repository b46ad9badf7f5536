"""A shop that tells other services what is paid, and keeps everything else to itself."""

from __future__ import annotations

from dataclasses import dataclass, replace

from actorkalix import (
    Action,
    Effect,
    EventSourcedEntity,
    Service,
    command,
    http,
    public_stream,
    publish,
    query,
    subscribe,
)


@dataclass(frozen=True)
class Cart:
    """A cart of a customer."""

    customer: str
    cents: int = 0
    paid: bool = False


@dataclass(frozen=True)
class Added:
    """Something was put in."""

    product: str
    cents: int


@dataclass(frozen=True)
class Paid:
    """It was paid with a card, which is nobody else's business."""

    card: str


class ShoppingCart(EventSourcedEntity[Cart, Added | Paid], id="cart"):
    """One cart a customer."""

    def empty_state(self) -> Cart:
        return Cart(self.entity_id)

    @command
    def add(self, product: str, cents: int) -> Effect[Cart]:
        if self.state.paid:
            return self.effects.error("the cart is paid", code="failed_precondition")
        return self.effects.persist(Added(product, cents)).then_reply(lambda cart: cart)

    @command
    def pay(self, card: str) -> Effect[Cart]:
        if self.state.paid or not self.state.cents:
            return self.effects.error("there is nothing to pay", code="failed_precondition")
        return self.effects.persist(Paid(card)).then_reply(lambda cart: cart)

    @query
    @http.get("/carts/{entity_id}")
    def get(self) -> Cart:
        return self.state

    def apply_event(self, state: Cart, event: Added | Paid) -> Cart:
        match event:
            case Added(cents=cents):
                return replace(state, cents=state.cents + cents)
            case Paid():
                return replace(state, paid=True)


@dataclass(frozen=True)
class Sale:
    """What others see of it."""

    customer: str
    cents: int


class Public(Action, id="public", runs="inline"):
    """Turns private events into public ones; None tells nothing."""

    @subscribe(ShoppingCart)
    @publish(public_stream("sales", Sale, allow=["billing"]))
    async def tell(self, event: Added | Paid) -> Sale | None:
        if isinstance(event, Added):
            return None
        cart = await self.client.entity(ShoppingCart, self.context.subject).get()
        return Sale(cart.customer, cart.cents)


service = Service("shop", components=[ShoppingCart, Public])
