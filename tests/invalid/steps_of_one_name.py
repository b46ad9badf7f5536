"""WF-03: two steps that are stored under one name, one of them in a base class."""
# expect: pay and withdraw are both the step 'pay'; give one another name

from actorkalix import Effect, StepEffect, Workflow, command, step


class Base(Workflow[int], abstract=True):
    @step(name="pay")
    async def withdraw(self) -> StepEffect:
        return self.effects.end()


class Transfer(Base, id="transfer"):
    @command
    def start(self) -> Effect[None]:
        return self.effects.transition_to(self.withdraw).then_reply(None)

    @step  # here
    async def pay(self) -> StepEffect:
        return self.effects.end()
