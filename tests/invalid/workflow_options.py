"""WF-34: options of a workflow's class that cannot be."""
# expect: on_timeout 'late', which is no step of Transfer; they are pay
# expect: on_timeout= says what runs then, timeout= says when; write both
# expect: step_timeout is a timedelta above 0, got 3
# expect: expire_after is a timedelta above 0, got 9
# expect: recover: cap is a timedelta above 0, got 3
# expect: unknown class option timout=; did you mean timeout=?

from actorkalix import Effect, StepEffect, Workflow, command, max_retries, step


class Transfer(Workflow[int], id="transfer", on_timeout="late", step_timeout=3, expire_after=9, recover=max_retries(1, cap=3), timout=3):  # here
    @command
    def start(self) -> Effect[None]:
        return self.effects.transition_to(self.pay).then_reply(None)

    @step
    async def pay(self) -> StepEffect:
        return self.effects.end()
