"""The service that bugs of the product are planted under, and the rules that need it.

Its entities are made so that whatever is lost, done twice, or done in another order shows in an
answer: an account's balance and its last change, what a pad had before.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta

from actorkalix import Effect, EventSourcedEntity, ValueEntity, command, query


@dataclass(frozen=True)
class Balance:
    """What an account has, and the change that came last."""

    amount: int = 0
    last: int = 0


@dataclass(frozen=True)
class Changed:
    """The amount has changed."""

    by: int


class Account(EventSourcedEntity[Balance, Changed], id="account", snapshot_every=3):
    """An event sourced entity whose answers depend on the order of all that has happened."""

    def empty_state(self) -> Balance:
        return Balance()

    @command
    def add(self, by: int) -> Effect[Balance]:
        return self.effects.persist(Changed(by)).then_reply(lambda state: state)

    @command
    def swap(self, out: int, back: int) -> Effect[Balance]:
        changes = (Changed(-out), Changed(back))
        return self.effects.persist(*changes).then_reply(lambda state: state)

    @command
    def take(self, by: int) -> Effect[Balance]:
        has = self.state.amount
        if by > has:
            details = {"has": has}
            return self.effects.error("too little", code="failed_precondition", details=details)
        return self.effects.persist(Changed(-by)).then_reply(lambda state: state)

    @command
    def tell(self) -> Effect[Balance]:
        return self.effects.reply(self.state)

    @query
    def get(self) -> Balance:
        return self.state

    def apply_event(self, state: Balance, event: Changed) -> Balance:
        return replace(state, amount=state.amount + event.by, last=event.by)


@dataclass(frozen=True)
class Note:
    """What stands on a pad."""

    text: int = 0


class Pad(ValueEntity[Note], id="pad"):
    """A value entity that answers a change with what was there before."""

    def empty_state(self) -> Note:
        return Note()

    @command
    def put(self, text: int) -> Effect[int]:
        before = self.state.text
        return self.effects.update_state(Note(text)).then_reply(lambda _: before)

    @query
    def get(self) -> int:
        return self.state.text


class Lease(ValueEntity[Note], id="lease"):
    """A value entity that ends when nobody holds it for a while."""

    def empty_state(self) -> Note:
        return Note()

    @command
    def hold(self) -> Effect[int]:
        held = self.state.text + 1
        return (
            self.effects.update_state(Note(held))
            .expire_after(timedelta(milliseconds=40))
            .then_reply(lambda note: note.text)
        )

    @query
    def held(self) -> int:
        return self.state.text
