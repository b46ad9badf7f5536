"""Bodies of calls: what is drawn is what a client could send."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
import pytest

from actorkalix.describe import descriptor_of
from actorkalix.errors import WorkloadUnfit
from actorkalix.testkit.simulation.arguments import TRIES_MAX, Bodies, bodies_for
from actorkalix.testkit.simulation.chance import Chance
from tests.unit.actorkalix.codec.samples import SHOP
from tests.unit.actorkalix.testkit.simulation.things import Basket, Forest, Stubborn, Tree

Values = Mapping[str, Sequence[Any]]


def bodies(component: type[Any], method: str, values: Values | None = None) -> Bodies:
    return Bodies(descriptor_of(component), method, values)


def drawn(made: Bodies, count: int = 200, seed: int = 1) -> list[bytes]:
    chance = Chance(seed)
    return [made.draw(chance) for _ in range(count)]


@pytest.mark.parametrize("method", SHOP.descriptor.handlers)
def test_every_kind_of_type_can_be_drawn(method: str) -> None:
    made = Bodies(SHOP.descriptor, method)
    found = drawn(made)
    for body in found:
        made.read(body)
    if SHOP.descriptor.handlers[method].parameters:
        assert len(set(found)) > 1


def test_the_same_chance_draws_the_same() -> None:
    for method in SHOP.descriptor.handlers:
        one, other = Bodies(SHOP.descriptor, method), Bodies(SHOP.descriptor, method)
        drawn(other, 50, seed=9)  # what was drawn before makes no difference
        assert drawn(one) == drawn(other)


def test_values_collide() -> None:
    assert len(set(drawn(bodies(Basket, "take")))) < 150


def test_a_handler_without_arguments_has_no_body() -> None:
    assert set(drawn(bodies(Basket, "clear"), 5)) == {b""}


def test_parameters_with_defaults_are_left_out_now_and_then() -> None:
    names = {tuple(msgspec.json.decode(body)) for body in drawn(bodies(Basket, "take"))}
    assert names == {("count",), ("count", "why")}


def test_what_a_type_refuses_is_drawn_again() -> None:
    made = bodies(Basket, "add")
    refused = Chance(1)
    assert any(made.attempt(refused) is None for _ in range(200))
    counts = {made.read(body)[0][0].count for body in drawn(made)}
    assert {1, 2, 3} <= counts
    assert min(counts) == 1


def test_a_type_that_refuses_everything_is_an_error_that_says_what_to_do() -> None:
    with pytest.raises(WorkloadUnfit) as caught:
        drawn(bodies(Stubborn, "give"), 1)
    text = str(caught.value)
    assert text.startswith(f"stubborn.give: none of {TRIES_MAX} bodies that were drawn is accepted")
    assert "the number is 7" in text
    assert text.endswith('give values for it: Workload(values={"stubborn.give.it": [...]})')
    assert drawn(bodies(Stubborn, "give", {"it": [{"number": 7}]}), 1) == [b'{"number":7}']


def test_a_pattern_that_nothing_fits_is_an_error_that_says_what_to_do() -> None:
    with pytest.raises(WorkloadUnfit) as caught:
        bodies(Stubborn, "say")
    text = str(caught.value)
    assert text.startswith(
        "stubborn.say, parameter 'text': no value is known of type str with pattern='^x{7}y$'"
    )
    assert text.endswith('give values for it: Workload(values={"stubborn.say.text": [...]})')
    assert drawn(bodies(Stubborn, "say", {"text": ["xxxxxxxy"]}), 1) == [b'{"text":"xxxxxxxy"}']


def test_given_values_stand_for_those_of_the_type() -> None:
    found = set(drawn(bodies(Basket, "take", {"why": ["x", "y"]})))
    assert {msgspec.json.decode(body)["why"] for body in found} == {"x", "y"}
    assert {msgspec.json.decode(body)["count"] for body in found} >= {1, 2, 3, 4, 5}


@pytest.mark.parametrize(
    "method, values, said",
    [
        ("take", {"count": [1, "two"]}, 'values: basket.take.count cannot be "two" (count: expect'),
        ("add", {"item": [{"name": 1}]}, 'cannot be {"name":1} (item.name: expected str'),
        ("add", {"item": [{"nam": "a", "name": "b"}]}, "item.nam: unknown; known are count, name"),
        ("add", {"item": ["pen"]}, 'basket.add.item cannot be "pen" (item: expected object'),
    ],
)
def test_a_given_value_of_another_type_is_an_error(method: str, values: Values, said: str) -> None:
    with pytest.raises(WorkloadUnfit) as caught:
        bodies(Basket, method, values)
    assert said in str(caught.value)


def test_a_type_that_holds_itself_stays_small() -> None:
    made = bodies(Forest, "plant")
    trees = [made.read(body)[0][0] for body in drawn(made)]
    assert 1 < max(map(_depth, trees)) <= 5
    assert max(map(len, drawn(made))) < 4_000


def _depth(tree: Tree) -> int:
    inside = (*tree.rest, *tree.named.values(), *([tree.left] if tree.left else []))
    return 1 + max(map(_depth, inside), default=0)


def test_a_union_that_holds_itself_comes_to_an_end() -> None:
    found = drawn(bodies(Forest, "fork"))
    assert len(set(found)) > 20
    assert max(map(len, found)) < 2_000


def test_constraints_of_models_count() -> None:
    made = bodies(Forest, "model")
    chance = Chance(4)
    tries = [made.attempt(chance) for _ in range(50)]
    assert None not in tries  # nothing is drawn in vain
    models = [made.read(body)[0][0] for body in tries if body is not None]
    assert {model.count for model in models} == {10, 11, 12}


def test_sets_have_as_many_as_they_must() -> None:
    made = bodies(Forest, "several")
    assert {len(made.read(body)[0][0]) for body in drawn(made)} == {3}


def test_drawers_are_kept_by_the_class() -> None:
    descriptor = descriptor_of(Basket)
    assert bodies_for(descriptor, "add") is bodies_for(descriptor, "add")
    other = msgspec.structs.replace(descriptor, snapshot_every=7)
    assert bodies_for(other, "add") is not bodies_for(descriptor, "add")


class Fixed:
    """A `Source` whose choices are made."""

    def __init__(self, choose: Callable[[int], int], happens: bool) -> None:
        self._choose = choose
        self._happens = happens

    def integer(self, low: int, high: int, /) -> int:
        return low

    def choice(self, options: Sequence[Any], /) -> Any:
        return options[self._choose(len(options))]

    def happens(self, probability: float, /) -> bool:
        return self._happens


@pytest.mark.parametrize("method", SHOP.descriptor.handlers)
def test_the_simplest_and_the_oddest_choices_come_to_an_end(method: str) -> None:
    made = Bodies(SHOP.descriptor, method)
    simplest = made.attempt(Fixed(lambda count: 0, happens=False))
    oddest = made.attempt(Fixed(lambda count: count - 1, happens=True))
    assert simplest is not None and len(simplest) < 100
    assert oddest is not None and len(oddest) >= len(simplest)
