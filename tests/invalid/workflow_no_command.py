"""WF-02: a workflow that nothing could start."""
# expect: has no command, so nothing could start it; mark one with @command

from actorkalix import StepEffect, Workflow, step


class Transfer(Workflow[int], id="transfer"):  # here
    @step
    async def withdraw(self) -> StepEffect:
        return self.effects.end()
