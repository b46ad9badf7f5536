"""The workflows under the benchmarks: three steps that do nothing, and one that pauses."""

from __future__ import annotations

from datetime import timedelta

from actorkalix import Effect, Service, StepEffect, Workflow, command, step


class Three(Workflow[int], id="three"):
    """Three steps, each with a new state."""

    @command
    def start(self, n: int) -> Effect[str]:
        return self.effects.update_state(n).transition_to(self.first, n).then_reply("started")

    @command
    def start_last(self, n: int) -> Effect[str]:
        """Begin with the last step."""
        near = self.effects.update_state(2 * n + 1)
        return near.transition_to(self.third).then_reply("started")

    @command
    def finished(self) -> Effect[int]:
        """A command waits for the step that runs, so this is answered when the last has ended."""
        return self.effects.reply(self.state)

    @step
    async def first(self, n: int) -> StepEffect:
        return self.effects.update_state(self.state + n).transition_to(self.second)

    @step
    async def second(self) -> StepEffect:
        return self.effects.update_state(self.state + 1).transition_to(self.third)

    @step
    async def third(self) -> StepEffect:
        return self.effects.update_state(self.state + 1).end()


class Rest(Workflow[int], id="rest"):
    """Pauses for a day."""

    @command
    def start(self, n: int) -> Effect[str]:
        paused = self.effects.update_state(n)
        return paused.pause(timeout=timedelta(days=1), then=self.over).then_reply("rests")

    @step
    async def over(self) -> StepEffect:
        return self.effects.end()


service = Service("flows", components=[Three, Rest])
