"""Entities in processes of their own."""
from datetime import timedelta
from typing import assert_type

from actorkalix import Client, Dedicated, Effect, EventSourcedEntity, ValueEntity, command, query


class Model(
    ValueEntity[bytes], id="model", hosting=Dedicated(num_gpus=1, memory=2**30, idle_stop=timedelta(minutes=1))
):
    def empty_state(self) -> bytes:
        return b""

    @command
    def train(self, data: bytes) -> Effect[int]:
        return self.effects.update_state(data).then_reply(len)


class Game(
    EventSourcedEntity[int, int], id="game", snapshot_every=10, hosting=Dedicated(runtime_env={"pip": ["numpy"]})
):
    def empty_state(self) -> int:
        return 0

    def apply_event(self, state: int, event: int) -> int:
        return state + event

    @query
    def score(self) -> int:
        return self.state


class Near(ValueEntity[int], id="near", hosting="sharded"):
    def empty_state(self) -> int:
        return 0

    @query
    def get(self) -> int:
        return self.state


async def play(client: Client) -> None:
    assert_type(await client.entity(Model, "m").train(b"x"), int)
    assert_type(await client.entity(Game, "g").score(), int)
