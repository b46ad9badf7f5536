"""CX-11: the timeout of a workflow exceeds that of its steps."""
# expect: withdraw may take 0:00:05; give the workflow more than its 0:00:03

from datetime import timedelta

from actorkalix import Effect, StepEffect, Workflow, command, step


class Transfer(Workflow[int], id="transfer", timeout=timedelta(seconds=3)):
    @command
    def start(self) -> Effect[None]:
        return self.effects.transition_to(self.withdraw).then_reply(None)

    @step  # here
    async def withdraw(self) -> StepEffect:
        return self.effects.end()
