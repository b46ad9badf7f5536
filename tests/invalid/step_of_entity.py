"""A step of a component that is no workflow."""
# expect: pay is a @step; only workflows have steps

from actorkalix import Effect, StepEffect, ValueEntity, command, step


class Wallet(ValueEntity[int], id="wallet"):
    def empty_state(self) -> int:
        return 0

    @command
    def start(self) -> Effect[None]:
        return self.effects.update_state(3).then_reply(None)

    @step  # here
    async def pay(self) -> StepEffect:
        raise NotImplementedError
