"""Wrong uses of services, metadata, effects, stored types and replicated data."""

from datetime import timedelta
from typing import Any
from actorkalix import (
    Client,
    Context,
    Effect,
    Metadata,
    Reply,
    ReplicatedEntity,
    Service,
    StepEffect,
    ValueEntity,
    Workflow,
    allow_all,
    command,
    failover_to,
    http,
    max_retries,
    migrate,
    query,
    step,
    type_name,
)
from actorkalix.crdt import CounterMap, GCounter, ORMap, ORSet, PNCounter, Vote
from actorkalix.testkit import ActionTestKit, EntityTestKit, ViewTestKit, WorkflowTestKit
from cart import Cart, ItemAdded, ShoppingCart
from checkout import Checkout
from profile_entity import Profile, ProfileState
from transfer import Transfer, TransferState
from views import Carts


class Effects3(ValueEntity[ProfileState], id="effects3"):
    def empty_state(self) -> ProfileState:
        return ProfileState()

    @command
    # case: state that is None
    def e1(self) -> Effect[None]:
        return self.effects.update_state(None).then_reply(None)

    @command
    # case: expiry as a number
    def e2(self) -> Effect[None]:
        return self.effects.update_state(self.state).expire_after(30).then_reply(None)

    @command
    # case: expiry of a reply
    def e3(self) -> Effect[int]:
        return self.effects.reply(3).expire_after(timedelta(1))

    @command
    # case: metadata that are no text
    def e4(self) -> Effect[int]:
        return self.effects.reply(3).with_metadata({"n": 3})

    @command
    # case: state assigned
    def e5(self) -> Effect[None]:
        self.state = ProfileState("x")
        return self.effects.reply(None)

    @command
    # case: field of a frozen state assigned
    def e6(self) -> Effect[None]:
        self.state.name = "x"
        return self.effects.reply(None)

    @command
    # case: persist in a value entity
    def e7(self) -> Effect[None]:
        return self.effects.persist(ProfileState()).then_reply(None)

    @command
    # case: call awaited in an entity
    async def e8(self) -> Effect[Cart]:
        return self.effects.reply(await self.client.entity(ShoppingCart, "c").get_cart())

    @command
    # case: delete without a reply
    def e9(self) -> Effect[None]:
        return self.effects.delete_entity()

    @command
    # case: timers in an entity
    def e10(self) -> Effect[None]:
        self.timers.cancel("x")
        return self.effects.reply(None)

    @query
    # case: context assigned
    def e11(self) -> str:
        self.context.principal = "me"
        return self.context.name

    @query
    # case: unknown field of the context
    def e12(self) -> str:
        return self.context.sequence_nr

    @query
    # case: metadata assigned
    def e13(self) -> str:
        self.context.metadata["a"] = "b"
        return ""

    # case: route with a number
    @http.get(3)
    @query
    def e14(self) -> str:
        return ""

    # case: route without a path
    @http.post
    def e15(self) -> str:
        return ""

    # case: unknown verb
    @http.head("/x")
    def e16(self) -> str:
        return ""

    # case: command mark called
    @command()
    def e17(self) -> Effect[None]:
        return self.effects.reply(None)


class Steps3(Workflow[TransferState], id="steps3"):
    # case: retries as text
    @step(recover=max_retries("2"))
    async def s1(self) -> StepEffect:
        return self.effects.end()

    # case: failover to a function
    @step(recover=failover_to(max_retries))
    async def s2(self) -> StepEffect:
        return self.effects.end()

    # case: timeout of a step as a number
    @step(timeout=5)
    async def s3(self) -> StepEffect:
        return self.effects.end()


# case: timeout of a workflow as a number
class Late3(Workflow[TransferState], id="late3", timeout=5): ...


# case: abstract and an id
class Both3(ValueEntity[int], id="both3", abstract=True):
    def empty_state(self) -> int:
        return 0


# case: snapshots of a value entity
class Snapshots3(ValueEntity[int], id="snapshots3", snapshot_every=10):
    def empty_state(self) -> int:
        return 0


# case: replicated entity of a plain type
class Plain3(ReplicatedEntity[int], id="plain3"): ...


# case: type name as a number
@type_name(3)
class Named3: ...


# case: version of a type as text
@type_name("named", version="2")
class Named4: ...


# case: migration of another type
@migrate(ItemAdded, from_version=1)
def lift(old: str) -> str:
    return old


# case: migration without its version
@migrate(ItemAdded)
def lift2(old: dict[str, Any]) -> dict[str, Any]:
    return old


async def use(client: Client, reply: Reply[Cart], context: Context, metadata: Metadata) -> None:
    # case: retry as a duration
    await client.entity(Profile, "p").close().with_retry(timedelta(seconds=3))
    # case: timeout as a number
    await client.entity(Profile, "p").close().with_timeout(3)
    # case: metadata as pairs
    await client.entity(Profile, "p").close().with_metadata([("a", "b")])
    # case: reply wrapper assigned
    reply.token = "x"
    # case: reply of another type
    n: int = reply.value
    # case: value of metadata taken for a number
    m: int = metadata["n"]
    # case: result timeout as a number
    client.entity(Profile, "p").close().result(3)
    # case: client of a number
    Client(3)
    # case: option behind send
    await client.entity(Profile, "p").close().send().with_retry(3)
    # case: blocking result awaited
    await client.entity(ShoppingCart, "c").get_cart().result()
    # case: context built with an unknown field
    Context(nam="x")
    print(n, m, context)


def services() -> None:
    # case: service without components
    Service("s")
    # case: service without a name
    Service(components=[ShoppingCart])
    # case: acl as text
    Service("s", components=[ShoppingCart], acl="all")
    # case: resources that cannot be called
    Service("s", components=[ShoppingCart], resources=3)
    # case: acl called
    Service("s", components=[ShoppingCart], acl=allow_all())
    # case: workflow kit with a command where a step is wanted
    WorkflowTestKit(Transfer, "t").run_step(Transfer.start)
    # case: view kit asked for another view's query
    ViewTestKit(Carts).query(ShoppingCart.get_cart)
    # case: view kit with an argument of another type
    ViewTestKit(Carts).query(Carts.by_id, 3)
    # case: view kit with an event of another entity
    ViewTestKit(Carts).event(ShoppingCart, "c1", Cart("c1"))
    # case: view kit with a state of an event sourced entity
    ViewTestKit(Carts).state(ShoppingCart, "c1", Cart("c1"))
    # case: action kit asked for an entity's handler
    ActionTestKit(Checkout).call(ShoppingCart.get_cart)
    # case: action kit with an argument of another type
    ActionTestKit(Checkout).call(Checkout.checkout, "c1", 42)
    # case: entity kit with its arguments swapped
    EntityTestKit("c", ShoppingCart)


def data() -> None:
    # case: growing counter that shrinks
    GCounter().decrement()
    # case: element of another type
    ORSet(frozenset({1})).add("x")
    # case: map of plain values
    ORMap[str, int]()
    # case: counter map with a text
    CounterMap[str]().increment("a", "b")
    # case: counter by a text
    PNCounter().increment("1")
    # case: vote by a text
    Vote().vote("yes")
    # case: value of a counter assigned
    PNCounter().value = 3
