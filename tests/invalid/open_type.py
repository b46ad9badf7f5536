"""A generic base whose type was never given."""
# expect: put has a type for its parameter value that is still open (T); give the base its types
# expect: says no types: write class Slot(ValueEntity[State], ...)

from typing import Generic, TypeVar

from actorkalix import Effect, ValueEntity, command


T = TypeVar("T")


class Base(ValueEntity[T], Generic[T], abstract=True):
    @command  # here
    def put(self, value: T) -> Effect[None]:
        return self.effects.update_state(value).then_reply(None)


class Slot(Base, id="slot"):  # here
    def empty_state(self) -> int:
        return 0
