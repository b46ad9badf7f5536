"""An order: reserved at all shelves at once, paid by a child, sent in parcels by children.

    start --> reserve (all shelves) --> pay (a child) --> choose (the first carrier)
                 |                        |                   |
                 sold out                 refused             v
                 v                        v                 ship (a child a parcel) --> done
               give back what was taken --> cancelled

Children are workflows of their own: they are listed, shown and controlled as any other, and they
are terminated when their parent is.
"""

from dataclasses import dataclass, field, replace
from datetime import timedelta

from actorkalix import (
    ChildEnd,
    CommandError,
    Effect,
    Service,
    StepEffect,
    ValueEntity,
    Workflow,
    WorkflowUpdate,
    branch,
    command,
    compensate,
    max_retries,
    query,
    step,
)

SOON = timedelta(milliseconds=200)
PARCEL_MAX = 10


class SoldOut(CommandError):
    """The shelf has too few."""


# ---- shelves, cards, carriers ------------------------------------------------------------------
@dataclass(frozen=True)
class Stock:
    free: int = 0
    reserved: dict[str, int] = field(default_factory=dict[str, int])


class Shelf(ValueEntity[Stock], id="shelf"):
    """Things of one kind. Reserving and releasing for an order do no harm when done again."""

    def empty_state(self) -> Stock:
        return Stock()

    @command
    def fill(self, quantity: int) -> Effect[Stock]:
        changed = replace(self.state, free=self.state.free + quantity)
        return self.effects.update_state(changed).then_reply(lambda stock: stock)

    @command
    def reserve(self, order_id: str, quantity: int) -> Effect[int]:
        if order_id in self.state.reserved:
            return self.effects.reply(self.state.reserved[order_id])
        if self.state.free < quantity:
            raise SoldOut(
                f"{self.entity_id}: {self.state.free} are left", code="failed_precondition"
            )
        reserved = {**self.state.reserved, order_id: quantity}
        changed = Stock(self.state.free - quantity, reserved)
        return self.effects.update_state(changed).then_reply(lambda _: quantity)

    @command
    def release(self, order_id: str) -> Effect[None]:
        if order_id not in self.state.reserved:
            return self.effects.reply(None)
        reserved = dict(self.state.reserved)
        back = reserved.pop(order_id)
        changed = Stock(self.state.free + back, reserved)
        return self.effects.update_state(changed).then_reply(None)

    @query
    def get(self) -> Stock:
        return self.state


class Carrier(ValueEntity[int], id="carrier"):
    """Quotes a price, or is closed (0)."""

    def empty_state(self) -> int:
        return 0

    @command
    def open(self, price: int) -> Effect[None]:
        return self.effects.update_state(price).then_reply(None)

    @command
    def quote(self, parcels: int) -> Effect[str]:
        if not self.state:
            return self.effects.error(f"{self.entity_id} is closed", code="unavailable")
        return self.effects.reply(f"{self.entity_id}: {self.state * parcels}")


# ---- children ----------------------------------------------------------------------------------
class Payment(Workflow[int], id="payment", timeout=timedelta(days=2), recover=max_retries(0)):
    """Waits for the bank, which says yes or no by `POST /payment/{id}/promises/bank`."""

    @command
    def start(self, amount: int) -> Effect[str]:
        if self.state is not None:
            return self.effects.reply("asked")
        return (
            self.effects.update_state(amount)
            .wait_for(self.promise("bank", bool), then=self.answered)
            .then_reply("asked")
        )

    @step
    async def answered(self, paid: bool) -> StepEffect:
        if paid:
            return self.effects.end()
        raise CommandError("the bank says no")

    @query
    def amount(self) -> int:
        return self.state


class Parcel(Workflow[str], id="parcel"):
    @command
    def send(self, carrier: str) -> Effect[str]:
        if self.state is not None:
            return self.effects.reply(self.state)
        return (
            self.effects.update_state("packed").transition_to(self.hand_over).then_reply("packed")
        )

    @step
    async def hand_over(self) -> StepEffect:
        return self.effects.update_state("sent").end()


# ---- the order ---------------------------------------------------------------------------------
@dataclass(frozen=True)
class Order:
    items: dict[str, int]
    amount: int
    carriers: tuple[str, ...] = ("north", "south")


@dataclass(frozen=True)
class Fulfilment:
    order: Order
    status: str
    carrier: str = ""


def _wrong(order: Order) -> str:
    """What no attempt of a step could mend, and is refused at the start; "" where all is fine."""
    if not order.items:
        return "an order without items"
    for product, quantity in order.items.items():
        if not product or quantity <= 0:
            return f"quantities are positive and products have names, got {product!r}: {quantity}"
    if order.amount <= 0:
        return f"amount must be positive, got {order.amount}"
    return "" if order.carriers and all(order.carriers) else "an order names its carriers"


class OrderFulfilment(Workflow[Fulfilment], id="order"):
    @command
    def start(self, order: Order) -> Effect[str]:
        if self.state is not None:
            return self.effects.reply(self.state.status)
        if wrong := _wrong(order):
            return self.effects.error(wrong)
        state = Fulfilment(order, "started")
        return self.effects.update_state(state).transition_to(self.reserve).then_reply("started")

    @step(
        recover=max_retries(5, initial=SOON, final=(SoldOut,)),
        on_failure=compensate(then="cancelled"),
    )
    async def reserve(self) -> StepEffect:
        wanted = self.state.order.items
        shelves = {product: self.client.entity(Shelf, product) for product in wanted}
        for shelf in shelves.values():  # before the calls: some may succeed and others fail
            self.undo_by(shelf.release(self.entity_id))
        again = max_retries(2, initial=SOON, final=(SoldOut,))
        await self.parallel(
            *(
                branch(shelves[product].reserve(self.entity_id, quantity), recover=again)
                for product, quantity in wanted.items()
            )
        )
        return self._now("reserved").transition_to(self.pay)

    @step
    async def pay(self) -> StepEffect:
        payment = self.client.workflow(Payment, self.entity_id).start(self.state.order.amount)
        return self.effects.start_child(payment, then=self.paid)

    @step
    async def paid(self, end: ChildEnd) -> StepEffect:
        if end.status == "ended":
            return self._now("paid").transition_to(self.choose)
        return self.effects.compensate(f"not paid: {end.status}", then=self.cancelled)

    @step(recover=max_retries(None, initial=SOON))
    async def choose(self) -> StepEffect:
        """The first carrier that answers has it; closed ones fail, and are asked again later."""
        order, parcels = self.state.order, self._parcels()
        carriers = [self.client.entity(Carrier, name) for name in order.carriers]
        quote = await self.parallel(*(one.quote(parcels) for one in carriers), wait="first")
        return self.effects.update_state(
            replace(self.state, carrier=quote, status="chosen")
        ).transition_to(self.ship)

    @step
    async def ship(self) -> StepEffect:
        parcels = [
            self.client.workflow(Parcel, f"{self.entity_id}-{number}").send(self.state.carrier)
            for number in range(1, self._parcels() + 1)
        ]
        return self.effects.start_children(*parcels, then=self.shipped)

    @step
    async def shipped(self, parcels: list[ChildEnd]) -> StepEffect:
        sent = sum(parcel.status == "ended" for parcel in parcels)
        return self._now("done").end(f"{sent} of {len(parcels)} parcels are sent")

    @step
    async def cancelled(self) -> StepEffect:
        return self._now("cancelled").end()

    @query
    def get(self) -> Fulfilment:
        return self.state

    def _parcels(self) -> int:
        return -(-sum(self.state.order.items.values()) // PARCEL_MAX)

    def _now(self, status: str) -> WorkflowUpdate[Fulfilment]:
        return self.effects.update_state(replace(self.state, status=status))


service = Service("fulfilment", components=[Shelf, Carrier, Payment, Parcel, OrderFulfilment])
