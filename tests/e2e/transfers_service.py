"""The example's transfers, with a blocking step and a look at all wallets for the test of kills."""

from datetime import timedelta

from actorkalix import Effect, Service, StepEffect, Workflow, command, max_retries, query, step
from examples.transfer.service import Transfer, Wallet


class Audit(Workflow[int], id="audit", recover=max_retries(None, initial=timedelta(seconds=1))):
    """Adds up wallets in a plain function, which runs as a Ray task."""

    @command
    def start(self, wallets: list[str]) -> Effect[str]:
        return self.effects.transition_to(self.add, wallets).then_reply("counting")

    @step(timeout=timedelta(seconds=30))
    def add(self, wallets: list[str]) -> StepEffect:
        calls = [self.client.entity(Wallet, name).get() for name in wallets]
        balances = self.parallel(*calls).result()
        return self.effects.update_state(sum(each.amount for each in balances)).end()

    @query
    def total(self) -> int | None:
        return self.state


service = Service("transfers", components=[Wallet, Transfer, Audit])
