"""Plans as words."""

from __future__ import annotations

import base64
import zlib

import msgspec
import pytest

from actorkalix.testkit.simulation.faults import Fault, Faults
from actorkalix.testkit.simulation.plan import Plan, draw_plan
from actorkalix.testkit.simulation.plan_text import plan_of, text_of
from tests.unit.actorkalix.testkit.seats import service


@pytest.mark.parametrize("preset", ["none", "usual", "harsh"])
def test_there_and_back(preset: str) -> None:
    rates = {"none": Faults.none(), "usual": Faults.usual(), "harsh": Faults.harsh()}[preset]
    plan = draw_plan(service.descriptor, 3, operations=20, faults=rates, programs=["buy"])
    assert plan_of(text_of(plan)) == plan
    asked = draw_plan(service.descriptor, 3, operations=20, faults=rates)
    assert any(call.key for call in asked.calls)
    assert any(call.body for call in asked.calls)
    assert plan_of(text_of(asked)) == asked


def test_a_small_plan_is_a_short_word() -> None:
    plan = draw_plan(service.descriptor, 0, operations=3, clients=2, faults=Faults.none())
    plan = msgspec.structs.replace(plan, faults=(Fault(at_us=1, kind="kill", host=0),))
    assert len(text_of(plan)) < 400


def packed(data: bytes) -> str:
    return base64.urlsafe_b64encode(zlib.compress(data)).decode()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no word",
        "é",
        packed(b"[]"),
        packed(b'{"seed":1}'),
        packed(b'{"rates":[]}'),
        packed(b"x"),
    ],
)
def test_what_is_no_plan(text: str) -> None:
    with pytest.raises(ValueError, match=r"is none \(.*copy all of the word"):
        plan_of(text)


def test_a_word_that_was_cut() -> None:
    whole = text_of(draw_plan(service.descriptor, 0, operations=20))
    with pytest.raises(ValueError, match="copy all of the word"):
        plan_of(whole[: len(whole) // 2])


def test_a_plan_of_other_fields() -> None:
    plan: Plan = draw_plan(service.descriptor, 0, operations=1)
    fields = {**msgspec.to_builtins(plan), "colour": "red"}
    with pytest.raises(ValueError, match="colour"):
        plan_of(packed(msgspec.json.encode(fields)))
