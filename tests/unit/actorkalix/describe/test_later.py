"""Components of later versions, written well, are described without a word."""

from __future__ import annotations

import types
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from actorkalix import Action, StepEffect, Workflow, handler, http, max_retries, step
from actorkalix.describe import descriptor_of
from actorkalix.errors import DefinitionError


class Transfer(Workflow[int], id="later-transfer", timeout=timedelta(hours=1)):
    @step(timeout=timedelta(seconds=5), recover=max_retries(2).failover_to("refund"))
    async def withdraw(self, amount: int) -> StepEffect:
        return self.effects.transition_to(self.refund)

    @step
    def refund(self) -> StepEffect:
        return self.effects.end()


class Mail(Action, id="later-mail"):
    @handler
    async def send(self, to: str) -> None: ...

    @http.get("/mails/{number}")
    async def get(self, number: int) -> AsyncIterator[str]:
        yield "x"


@pytest.mark.parametrize("cls", [Transfer, Mail])
def test_described(cls: type) -> None:
    assert descriptor_of(cls).component_id.startswith("later-")


def test_replies_of_streams_are_what_they_yield() -> None:
    assert descriptor_of(Mail).handlers["get"].reply is str


def test_a_step_of_another_class_does_not_count() -> None:
    class Base(Workflow[int], abstract=True):
        @step(recover=max_retries(1).failover_to("withdraw"))
        async def a(self) -> StepEffect:
            return self.effects.end()

    with pytest.raises(DefinitionError, match="'withdraw', which is no step of Other; they are a"):
        types.new_class("Other", (Base,), {"id": "later-other"})
