"""The class option that gives instances processes of their own."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from datetime import timedelta

import pytest

from actorkalix import Dedicated, Effect, ValueEntity, command
from actorkalix.describe.component import descriptor_of


class Model(ValueEntity[int], id="model-hosting", hosting=Dedicated(num_gpus=1)):
    def empty_state(self) -> int:
        return 0

    @command
    def train(self) -> Effect[int]:
        return self.effects.reply(1)


def test_it_stands_in_the_options_of_the_class() -> None:
    hosting = descriptor_of(Model).options["hosting"]
    assert hosting == Dedicated(num_cpus=1, num_gpus=1, idle_stop=timedelta(minutes=5))


def test_it_is_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        object.__getattribute__(Dedicated(), "__setattr__")("num_cpus", 2)
