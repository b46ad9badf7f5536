"""Orders: a cart that is checked out becomes an order, and the order becomes parcels.

    cart --CheckedOut--> Orders --"orders"--> Shipping --"shipments"--> Tracking --> parcel
      ^                             topic                   topic
      '-- reserved for half an hour, then a timer gives the things back

Each arrow is delivered at least once and in order per cart; a parcel is made once for each order.
"""

from dataclasses import dataclass, replace
from datetime import timedelta

from actorkalix import (
    Action,
    Effect,
    EventSourcedEntity,
    Service,
    ValueEntity,
    command,
    http,
    publish,
    query,
    subscribe,
    topic,
)

RESERVED_FOR = timedelta(minutes=30)


@dataclass(frozen=True)
class Cart:
    cart_id: str
    items: dict[str, int]
    status: str = "open"  # open, reserved, checked out


@dataclass(frozen=True)
class ItemAdded:
    product: str
    quantity: int


@dataclass(frozen=True)
class Reserved:
    pass


@dataclass(frozen=True)
class Released:
    pass


@dataclass(frozen=True)
class CheckedOut:
    items: dict[str, int]


CartEvent = ItemAdded | Reserved | Released | CheckedOut


class ShoppingCart(EventSourcedEntity[Cart, CartEvent], id="cart"):
    def empty_state(self) -> Cart:
        return Cart(self.entity_id, {})

    @command
    def add(self, product: str, quantity: int = 1) -> Effect[Cart]:
        if self.state.status != "open":
            return self.effects.error(
                f"the cart is {self.state.status}", code="failed_precondition"
            )
        if quantity < 1:
            return self.effects.error(f"quantity must be positive, got {quantity}")
        return self.effects.persist(ItemAdded(product, quantity)).then_reply(lambda cart: cart)

    @command
    def reserve(self) -> Effect[Cart]:
        if self.state.status == "reserved":
            return self.effects.reply(self.state)
        if self.state.status != "open" or not self.state.items:
            return self.effects.error("nothing to reserve", code="failed_precondition")
        return self.effects.persist(Reserved()).then_reply(lambda cart: cart)

    @command
    def release(self) -> Effect[None]:
        """Called by a timer, which may be late: a cart that has moved on is fine as it is."""
        if self.state.status != "reserved":
            return self.effects.reply(None)
        return self.effects.persist(Released()).then_reply(None)

    @command
    def check_out(self) -> Effect[Cart]:
        if self.state.status != "reserved":
            return self.effects.error(
                f"the cart is {self.state.status}, reserve it first", code="failed_precondition"
            )
        return self.effects.persist(CheckedOut(self.state.items)).then_reply(lambda cart: cart)

    @query
    @http.get("/carts/{entity_id}")
    def get(self) -> Cart:
        return self.state

    def apply_event(self, state: Cart, event: CartEvent) -> Cart:
        match event:
            case ItemAdded(product, quantity):
                had = state.items.get(product, 0)
                return replace(state, items={**state.items, product: had + quantity})
            case Reserved():
                return replace(state, status="reserved")
            case Released():
                return replace(state, status="open")
            case CheckedOut():
                return replace(state, status="checked out")


class Checkout(Action, id="checkout", runs="inline"):
    """Reserves, and sees to it that nothing is reserved for ever."""

    @http.post("/carts/{cart_id}/reserve")
    async def reserve(self, cart_id: str) -> Cart:
        cart = self.client.entity(ShoppingCart, cart_id)
        # The timer first: if we die in between, it finds nothing reserved, and that is fine.
        await self.timers.start_single(
            f"release {cart_id}", after=RESERVED_FOR, call=cart.release()
        )
        return await cart.reserve()

    @http.post("/carts/{cart_id}/checkout")
    async def check_out(self, cart_id: str) -> Cart:
        done = await self.client.entity(ShoppingCart, cart_id).check_out()
        await self.timers.cancel(f"release {cart_id}")
        return done


@dataclass(frozen=True)
class Order:
    order_id: str
    items: dict[str, int]


@dataclass(frozen=True)
class Shipment:
    order_id: str
    parcels: int


class Orders(Action, id="orders", runs="inline"):
    """What is inside becomes what others may rely on."""

    @subscribe(ShoppingCart, only=CheckedOut)
    @publish(topic("orders"))
    async def on_checked_out(self, event: CheckedOut) -> Order:
        return Order(self.context.subject, event.items)


class Shipping(Action, id="shipping", runs="inline"):
    """Five things to a parcel."""

    @subscribe(topic("orders", Order), group="shipping")
    @publish(topic("shipments"))
    async def ship(self, order: Order) -> Shipment | None:
        things = sum(order.items.values())
        return Shipment(order.order_id, -(-things // 5)) if things else None


class Parcel(ValueEntity[Shipment], id="parcel"):
    def empty_state(self) -> Shipment:
        return Shipment(self.entity_id, 0)

    @command
    def send(self, shipment: Shipment) -> Effect[None]:
        sent = replace(shipment, parcels=self.state.parcels + shipment.parcels)
        return self.effects.update_state(sent).then_reply(None)

    @query
    @http.get("/parcels/{entity_id}")
    def get(self) -> Shipment:
        return self.state


class Tracking(Action, id="tracking", runs="inline"):
    @subscribe(topic("shipments", Shipment))
    async def on_shipment(self, shipment: Shipment) -> None:
        await self.client.entity(Parcel, shipment.order_id).send(shipment)


service = Service("orders", components=[ShoppingCart, Checkout, Orders, Shipping, Parcel, Tracking])
