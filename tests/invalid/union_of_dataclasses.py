"""Two dataclasses that JSON cannot tell apart."""
# expect: pay cannot take its parameters: by.means: the members of Card | Cash cannot be told apart; make them msgspec.Struct classes with tag=True, or use one class

from dataclasses import dataclass

from actorkalix import Effect, ValueEntity, command


@dataclass
class Card:
    number: str


@dataclass
class Cash:
    amount: int


@dataclass
class Payment:
    means: Card | Cash


class Slot(ValueEntity[int], id="slot"):
    def empty_state(self) -> int:
        return 0

    @command  # here
    def pay(self, by: Payment) -> Effect[None]:
        return self.effects.reply(None)
