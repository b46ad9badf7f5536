"""WF-02, WF-30: steps that are no steps."""
# expect: a: timeout is a timedelta above 0, got 5
# expect: b has no return type; write -> StepEffect
# expect: c returns an Effect; a step has no reply: -> StepEffect
# expect: d returns int; write -> StepEffect
# expect: e is a coroutine and runs on its host's loop; num_cpus= is about tasks
# expect: f: num_gpus is a number from 0 up, got -1
# expect: g has no type for its parameter amount; write amount: int, or whatever it is
# expect: h: the name of a step is a text, got ' '
# expect: resume is what clients do with any workflow; give your own another name

from actorkalix import Effect, StepEffect, Workflow, command, step


class Transfer(Workflow[int], id="transfer"):
    @command  # here
    def resume(self) -> Effect[None]:
        return self.effects.reply(None)

    @command
    def start(self) -> Effect[None]:
        return self.effects.reply(None)

    @step(timeout=5)  # here
    async def a(self) -> StepEffect:
        return self.effects.end()

    @step  # here
    async def b(self):
        return self.effects.end()

    @step  # here
    async def c(self) -> Effect[str]:
        return self.effects.end().then_reply("x")

    @step  # here
    def d(self) -> int:
        return 3

    @step(num_cpus=1)  # here
    async def e(self) -> StepEffect:
        return self.effects.end()

    @step(num_gpus=-1)  # here
    def f(self) -> StepEffect:
        return self.effects.end()

    @step  # here
    async def g(self, amount) -> StepEffect:
        return self.effects.end()

    @step(name=" ")  # here
    async def h(self) -> StepEffect:
        return self.effects.end()
