"""New code is checked against what is stored: whoever could not go on is named, with the reason."""

from __future__ import annotations

from typing import Any

from actorkalix import Effect, Service, StepEffect, ValueEntity, Workflow, command, step
from actorkalix.runtime.workflow_check import Stranded, Verdict, checked
from examples.transfer.service import Transfer, TransferState, Wallet, service
from tests.unit.actorkalix.runtime.flows import filled


def check(*components: Any) -> Verdict:
    made: Any = Service(service.name, components=list(components))
    return checked([filled().store], made.descriptor)


def reasons(found: Verdict) -> dict[str, tuple[str, ...]]:
    return {one.workflow_id: one.why for one in found.stranded}


def test_the_same_code_strands_nobody() -> None:
    found = check(Wallet, Transfer)
    assert found == Verdict("transfers", {"transfer": 4}, 2, ())


def test_a_step_that_is_gone_or_takes_something_else() -> None:
    class Fewer(Workflow[TransferState], id="transfer"):
        @command
        def start(self) -> Effect[str]:
            return self.effects.reply("x")

        @step
        async def deposit(self, amount: int) -> StepEffect:
            return self.effects.end()

    found = reasons(check(Wallet, Fewer))
    assert set(found) == {"t-waits", "t-runs"}
    assert (
        "the step 'decided', which it waits to enter, is not there any more" in found["t-waits"][0]
    )
    assert "the step 'too_late'" in found["t-waits"][1]
    (why,) = found["t-runs"]
    assert "'deposit', which it is in, does not take its input any more" in why
    assert "amount" in why


def test_a_state_that_does_not_decode_strands_those_that_have_ended_too() -> None:
    class Other(Workflow[int], id="transfer"):
        @command
        def start(self) -> Effect[str]:
            return self.effects.reply("x")

        @step
        async def deposit(self) -> StepEffect:
            return self.effects.end()

    found = reasons(check(Wallet, Other))
    assert len(found) == 4
    assert "does not decode" in found["t-done"][0]


def test_an_undo_call_for_what_is_gone() -> None:
    class Wallets(ValueEntity[int], id="wallet"):
        def empty_state(self) -> int:
            return 0

        @command
        def deposit(self, amount: int) -> Effect[int]:
            return self.effects.reply(amount)

    (why,) = reasons(check(Wallets, Transfer))["t-runs"]
    assert why == "an undo call is for wallet.refund, which is not there any more"


def test_a_workflow_that_is_gone_strands_those_that_run() -> None:
    found = check(Wallet)
    assert found.checked == {"transfer": 4}
    assert sorted(one.workflow_id for one in found.stranded) == ["t-runs", "t-waits"]
    one: Stranded = next(each for each in found.stranded if each.workflow_id == "t-runs")
    assert (one.status, one.step) == ("running", "deposit")
    assert one.why == ("the service has no workflow 'transfer'",)


def test_what_is_no_workflow_is_not_judged() -> None:
    assert "wallet" not in check(Transfer).checked
