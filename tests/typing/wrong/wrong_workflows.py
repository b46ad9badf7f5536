"""Wrong uses of workflows; each is refused by both checkers."""

from dataclasses import dataclass
from datetime import timedelta
from actorkalix import (
    ChildEnd,
    Client,
    Effect,
    StepEffect,
    ValueEntity,
    Workflow,
    branch,
    command,
    compensate,
    max_retries,
    step,
)


@dataclass(frozen=True)
class State:
    n: int = 0


class Note(ValueEntity[int], id="note"):
    def empty_state(self) -> int:
        return 0

    @command
    def write(self, n: int) -> Effect[int]:
        return self.effects.update_state(n).then_reply(lambda n: n)


class Other(Workflow[State], id="other"):
    @command
    def start(self, n: int) -> Effect[str]:
        return self.effects.reply("x")


class W(Workflow[State], id="w"):
    @step
    async def with_input(self, n: int) -> StepEffect:
        return self.effects.end()

    @step
    async def joined(self, end: ChildEnd) -> StepEffect:
        return self.effects.end()

    @step
    async def all_joined(self, ends: list[ChildEnd]) -> StepEffect:
        return self.effects.end()

    @step
    async def alone(self) -> StepEffect:
        return self.effects.end()

    # case: unknown option of a step
    @step(retries=3)
    async def s1(self) -> StepEffect:
        return self.effects.end()

    # case: name of a step that is none
    @step(name=3)
    async def s2(self) -> StepEffect:
        return self.effects.end()

    # case: cpus as text
    @step(num_cpus="2")
    def s3(self) -> StepEffect:
        return self.effects.end()

    # case: on_failure that is a step's name
    @step(on_failure="alone")
    async def s4(self) -> StepEffect:
        return self.effects.end()

    # case: backoff in seconds
    @step(recover=max_retries(3, initial=5))
    async def s5(self) -> StepEffect:
        return self.effects.end()

    # case: final errors as names
    @step(recover=max_retries(3, final=("NoRoom",)))
    async def s6(self) -> StepEffect:
        return self.effects.end()

    # case: compensation into a step object
    @step(recover=compensate(then=max_retries))
    async def s7(self) -> StepEffect:
        return self.effects.end()

    @step
    # case: promise of another type than the step takes
    async def p1(self) -> StepEffect:
        return self.effects.wait_for(self.promise("a", str), then=self.with_input)

    @step
    # case: promise by its bare name
    async def p2(self) -> StepEffect:
        return self.effects.wait_for("a", then=self.with_input)

    @step
    # case: late step of a promise wants input
    async def p3(self) -> StepEffect:
        return self.effects.wait_for(
            self.promise("a", int),
            then=self.with_input,
            timeout=timedelta(1),
            on_timeout=self.with_input,
        )

    @step
    # case: promise without what comes then
    async def p4(self) -> StepEffect:
        return self.effects.wait_for(self.promise("a", int))

    @step
    # case: pause into a command that wants input
    async def p5(self) -> StepEffect:
        return self.effects.pause("x", timeout=timedelta(days=1), then=self.go)

    @step
    # case: one child into a step for many
    async def c1(self) -> StepEffect:
        return self.effects.start_child(
            self.client.workflow(Other, "o").start(3), then=self.all_joined
        )

    @step
    # case: many children into a step for one
    async def c2(self) -> StepEffect:
        return self.effects.start_children(
            self.client.workflow(Other, "o").start(3), then=self.joined
        )

    @step
    # case: child without what comes then
    async def c3(self) -> StepEffect:
        return self.effects.start_child(self.client.workflow(Other, "o").start(3))

    @step
    # case: compensation into a step that wants input
    async def c4(self) -> StepEffect:
        return self.effects.compensate(then=self.with_input)

    @step
    # case: undo that is no call
    async def c5(self) -> StepEffect:
        return self.effects.end().with_undo(self.alone)

    @step
    # case: undo of an update alone
    async def c6(self) -> StepEffect:
        return self.effects.update_state(State()).with_undo(self.client.entity(Note, "n").write(3))

    @step
    # case: parallel gives a tuple
    async def q1(self) -> StepEffect:
        n: int = await self.parallel(self.client.entity(Note, "n").write(3))
        return self.effects.end(str(n))

    @step
    # case: the first reply is no tuple
    async def q2(self) -> StepEffect:
        n: tuple[int, ...] = await self.parallel(
            self.client.entity(Note, "n").write(3), wait="first"
        )
        return self.effects.end(str(n))

    @step
    # case: wait for something unknown
    async def q3(self) -> StepEffect:
        await self.parallel(self.client.entity(Note, "n").write(3), wait="any")
        return self.effects.end()

    @step
    # case: parallel steps
    async def q4(self) -> StepEffect:
        await self.parallel(self.alone, self.alone)
        return self.effects.end()

    @step
    # case: a branch's default of another type
    async def q5(self) -> StepEffect:
        (n,) = await self.parallel(branch(self.client.entity(Note, "n").write(3), otherwise="none"))
        m: int = n
        return self.effects.end(str(m))

    @command
    def go(self, n: int) -> Effect[str]:
        return self.effects.reply("x")


# case: workflow's failover as a function
class T1(Workflow[State], id="t1", timeout=timedelta(1), on_timeout=max_retries): ...


# case: recover of a class as a name
class T2(Workflow[State], id="t2", recover="again"): ...


async def control(client: Client) -> None:
    # case: terminate with a number
    await client.workflow(W, "w").terminate(3)
    # case: restart without a text
    await client.workflow(W, "w").restart(W.alone)
    # case: restart anew with a text
    await client.workflow(W, "w").restart("a", "anew")
    # case: resolve without a name
    await client.workflow(W, "w").resolve()
    # case: controls of an entity
    await client.entity(Note, "n").suspend()
