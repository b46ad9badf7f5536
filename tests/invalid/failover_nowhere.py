"""A failover to a step that is not there."""
# expect: withdraw fails over to 'refnud', which is no step of Transfer; they are refund, withdraw

from actorkalix import Effect, StepEffect, Workflow, command, max_retries, step


class Transfer(Workflow[int], id="transfer"):
    @command
    def start(self) -> Effect[None]:
        return self.effects.transition_to(self.withdraw).then_reply(None)

    @step(recover=max_retries(1).failover_to("refnud"))  # here
    async def withdraw(self) -> StepEffect:
        return self.effects.end()

    @step
    async def refund(self) -> StepEffect:
        return self.effects.end()
