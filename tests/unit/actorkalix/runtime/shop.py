"""A small service for tests that look at what is stored: a cart of events, a profile of states."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta

from actorkalix import Effect, EventSourcedEntity, Service, ValueEntity, command, http, query


@dataclass(frozen=True)
class Cart:
    cart_id: str
    items: tuple[str, ...] = ()


@dataclass(frozen=True)
class Added:
    item: str


@dataclass(frozen=True)
class Removed:
    item: str


class ShoppingCart(EventSourcedEntity[Cart, Added | Removed], id="cart", snapshot_every=3):
    def empty_state(self) -> Cart:
        return Cart(self.entity_id)

    @command
    def add(self, item: str, times: int = 1) -> Effect[int]:
        if times < 1:
            return self.effects.error("add it at least once")
        added = [Added(item) for _ in range(times)]
        return self.effects.persist(*added).then_reply(lambda cart: len(cart.items))

    @command
    def remove(self, item: str, reason: str) -> Effect[int]:
        removed = self.effects.persist(Removed(item)).with_metadata({"reason": reason})
        return removed.then_reply(lambda cart: len(cart.items))

    @command
    def hold(self, item: str) -> Effect[None]:
        held = self.effects.persist(Added(item)).expire_after(timedelta(hours=1))
        return held.then_reply(None)

    @command
    @http.delete("/carts/{entity_id}")
    def drop(self) -> Effect[None]:
        return self.effects.persist(Removed("ink")).delete_entity().then_reply(None)

    @query
    @http.get("/carts/{entity_id}")
    def get(self) -> Cart:
        return self.state

    def apply_event(self, state: Cart, event: Added | Removed) -> Cart:
        match event:
            case Added(item):
                return replace(state, items=(*state.items, item))
            case Removed(item):
                return replace(state, items=tuple(i for i in state.items if i != item))


@dataclass(frozen=True)
class ProfileState:
    name: str = ""


class Profile(ValueEntity[ProfileState], id="profile"):
    def empty_state(self) -> ProfileState:
        return ProfileState()

    @command
    def rename(self, name: str) -> Effect[None]:
        return self.effects.update_state(replace(self.state, name=name)).then_reply(None)

    @command
    def close(self) -> Effect[None]:
        return self.effects.delete_entity().then_reply(None)


service = Service("shop", components=[ShoppingCart, Profile])
