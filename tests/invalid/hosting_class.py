"""A hosting that is the class instead of an object of it."""
# expect: hosting is an object: write hosting=Dedicated()

from actorkalix import Dedicated, Effect, ValueEntity, command


class Model(ValueEntity[int], id="model", hosting=Dedicated):  # here
    def empty_state(self) -> int:
        return 0

    @command
    def train(self) -> Effect[int]:
        return self.effects.reply(1)
