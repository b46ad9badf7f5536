"""Steps of workflows as the machinery knows them."""

from __future__ import annotations

import types
from datetime import timedelta
from typing import Any

import pytest

from actorkalix import (
    ChildEnd,
    DefinitionError,
    Effect,
    Service,
    StepEffect,
    Workflow,
    command,
    compensate,
    failover_to,
    max_retries,
    step,
)
from actorkalix.codec import codecs_for
from actorkalix.describe import descriptor_of
from actorkalix.describe.descriptors import RecoveryDescriptor, StepDescriptor
from actorkalix.model.workflows import CONTROLS
from actorkalix_cluster.shardhost.messages import Encoding

SECOND = timedelta(seconds=1)


class Base(Workflow[int], abstract=True):
    @step
    async def inherited(self) -> StepEffect:
        return self.effects.end()

    @step
    async def replaced(self) -> StepEffect:
        return self.effects.end()


class Journey(
    Base,
    id="journey",
    timeout=timedelta(hours=1),
    on_timeout=failover_to("late", 3),
    step_timeout=7 * SECOND,
    recover=max_retries(4),
    snapshot_every=10,
):
    @command
    def start(self) -> Effect[str]:
        return self.effects.transition_to(self.go, "far", hours=3).then_reply("off")

    @step(timeout=9 * SECOND, recover=max_retries(None, initial=SECOND, max_elapsed=60 * SECOND))
    async def go(self, where: str, *, hours: int = 1) -> StepEffect:
        return self.effects.end()

    @step(name="compute", num_cpus=2, on_failure=compensate(then="inherited"))
    def crunch(self) -> StepEffect:
        return self.effects.end()

    @step
    async def replaced(self) -> StepEffect:
        return self.effects.end("otherwise")

    @step
    async def late(self, hours: int) -> StepEffect:
        return self.effects.end()

    @step
    async def joined(self, ends: list[ChildEnd]) -> StepEffect:
        return self.effects.end()


def steps() -> dict[str, StepDescriptor]:
    return dict(descriptor_of(Journey).steps)


def test_wf_03_steps_are_found_by_stored_name_those_of_bases_too() -> None:
    assert list(steps()) == ["inherited", "replaced", "go", "compute", "late", "joined"]
    assert steps()["compute"].attribute == "crunch"
    assert steps()["replaced"].handler.fn is Journey.replaced.fn


def test_what_a_step_does_not_say_the_class_says() -> None:
    go, late = steps()["go"], steps()["late"]
    assert (go.timeout_ms, late.timeout_ms) == (9_000, 7_000)
    assert late.recovery == RecoveryDescriptor(4)
    assert go.recovery == RecoveryDescriptor(-1, 1_000, max_elapsed_ms=60_000)
    assert steps()["compute"].recovery == RecoveryDescriptor(0, step="inherited", undoes=True)


def test_plain_functions_are_tasks_with_their_resources() -> None:
    compute = steps()["compute"]
    assert (compute.is_async, compute.resources) == (False, {"num_cpus": 2})
    assert compute.handler.blocking
    assert (steps()["go"].is_async, steps()["go"].resources) == (True, {})


def test_inputs_are_encoded_as_arguments_are() -> None:
    codecs = codecs_for(descriptor_of(Journey)).steps
    payload = codecs["go"].encode(("far",), {"hours": 3}, Encoding.MSGPACK)
    assert codecs["go"].decode(payload, Encoding.MSGPACK) == (("far",), {"hours": 3})
    ends = [ChildEnd("trip", "t1", "ended", state={"a": 1})]
    payload = codecs["joined"].encode((ends,), {}, Encoding.MSGPACK)
    assert codecs["joined"].decode(payload, Encoding.MSGPACK) == ((ends,), {})


def test_controls_are_handlers_of_every_workflow() -> None:
    handlers = descriptor_of(Journey).handlers
    assert set(handlers) == {*CONTROLS, "start"}
    assert all(handlers[name].reply is str for name in CONTROLS)


def test_a_service_takes_workflows() -> None:
    made: Any = Service("trips", components=[Journey])
    assert made.descriptor.components["journey"].kind == "workflow"


class Patient(
    Workflow[int],
    abstract=True,
    timeout=timedelta(hours=2),
    step_timeout=20 * SECOND,
    recover=max_retries(8),
    snapshot_every=7,
):
    @command
    def start(self) -> Effect[None]:
        return self.effects.transition_to(self.wait).then_reply(None)

    @step
    async def wait(self) -> StepEffect:
        return self.effects.end()


class Long(Patient, id="long"):
    @step(timeout=SECOND)
    async def briefly(self) -> StepEffect:
        return self.effects.end()


class Longer(Long, id="longer", timeout=None, step_timeout=timedelta(hours=3)):
    """Without end."""


def test_wf_30_a_workflow_has_the_options_of_its_bases() -> None:
    long, longer = descriptor_of(Long), descriptor_of(Longer)
    assert [step.timeout_ms for step in long.steps.values()] == [20_000, 1_000]
    assert [step.timeout_ms for step in longer.steps.values()] == [10_800_000, 1_000]
    assert long.steps["wait"].recovery == longer.steps["wait"].recovery == RecoveryDescriptor(8)
    assert long.options["timeout"] == timedelta(hours=2)
    assert longer.options["timeout"] is None
    assert long.snapshot_every == longer.snapshot_every == 7


def test_an_inherited_timeout_is_checked_where_it_is_used() -> None:
    with pytest.raises(DefinitionError, match="give the workflow more than its 2:00:00"):
        types.new_class("Slow", (Patient,), {"id": "slow", "step_timeout": timedelta(hours=3)})


def test_problems_of_a_base_are_said_where_it_is_used() -> None:
    class Abstract(Workflow[int], abstract=True):
        @step(recover=max_retries(1).failover_to("nowhere"))
        async def a(self) -> StepEffect:
            return self.effects.end()

        @command
        def start(self) -> Effect[None]:
            return self.effects.reply(None)

    with pytest.raises(DefinitionError, match="'nowhere', which is no step of Real; they are a"):
        types.new_class("Real", (Abstract,), {"id": "real"})
