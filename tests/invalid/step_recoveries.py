"""WF-32: recoveries that cannot be, all at once."""
# expect: pay fails over to 'refund' with ('five'): amount is a int, got 'five'
# expect: check fails over to 'refund' with no input: it misses amount
# expect: ship goes on after its undo with 'refund' with no input: it misses amount
# expect: send: recover: retries is a number from 0 up, or None without end, got -1
# expect: send: recover: jitter is from 0 to 1, got 2
# expect: send: recover: factor is from 1 up, got 0.5
# expect: send: recover: final is a tuple of classes of errors, got 'ValueError'
# expect: refund: recover is max_retries(...) or failover_to(...), got 'again'

from typing import Any

from actorkalix import (
    Effect,
    StepEffect,
    Workflow,
    command,
    compensate,
    failover_to,
    max_retries,
    step,
)

anything: Any = None


class Transfer(Workflow[int], id="transfer"):
    @command
    def start(self) -> Effect[None]:
        return self.effects.transition_to(self.pay).then_reply(None)

    @step(recover=failover_to("refund", "five"))  # here
    async def pay(self) -> StepEffect:
        return self.effects.end()

    @step(recover=max_retries(2).failover_to("refund"))  # here
    async def check(self) -> StepEffect:
        return self.effects.end()

    @step(on_failure=compensate(then="refund"))  # here
    async def ship(self) -> StepEffect:
        return self.effects.end()

    @step(recover=max_retries(-1, jitter=2, factor=0.5, final="ValueError"))  # here
    async def send(self) -> StepEffect:
        return self.effects.end()

    @step(recover="again")  # here
    async def refund(self, amount: int) -> StepEffect:
        return self.effects.end()
