"""Charts say what the source says, what it does not say, and where an instance has been."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, cast

from actorkalix import (
    ChildEnd,
    Effect,
    StepEffect,
    Workflow,
    WorkflowUpdate,
    command,
    compensate,
    max_retries,
    step,
)
from actorkalix.describe import descriptor_of
from actorkalix.runtime.workflow_chart import Chart, Edge, chart_of, dot, mermaid


class Tour(Workflow[int], id="tour", timeout=timedelta(hours=1), on_timeout="late"):
    @command
    def start(self, where: str) -> Effect[str]:
        if where == "nowhere":
            return self.effects.end("at once").then_reply("over")
        made = self.effects.update_state(1)
        return made.transition_to(self.go).then_reply("off")

    @command
    def wake(self) -> Effect[None]:
        return self.effects.reply(None)

    @step(recover=max_retries(2, final=(KeyError,)), on_failure=compensate(then="late"))
    async def go(self) -> StepEffect:
        if self.state:
            return self.changed().pause("rests", timeout=timedelta(1), then=self.wake)
        waits = self.effects.wait_for(self.promise("p"), then=self.renamed)
        return waits if self.state else self.effects.transition_to(cast("Any", self).sometimes)

    @step(name="stored")
    async def renamed(self) -> StepEffect:
        await self.client.workflow(Tour, "other").terminate()
        call = self.client.workflow(Tour, "child").start("x")
        return self.effects.start_child(call, then=self.joined)

    @step
    async def joined(self, end: ChildEnd) -> StepEffect:
        return elsewhere(self)

    @step
    async def late(self) -> StepEffect:
        return self.effects.compensate("too late")

    def changed(self) -> WorkflowUpdate[int]:
        return self.effects.update_state(2)


def elsewhere(tour: Tour) -> StepEffect:
    return tour.effects.delete_workflow()


def chart() -> Chart:
    return chart_of(descriptor_of(Tour))


def test_edges_are_those_of_the_source() -> None:
    assert chart().edges == (
        Edge("start()", "ended"),
        Edge("start()", "go"),
        Edge("go", "paused"),
        Edge("go", "wake()", "timeout", "pause is over"),
        Edge("go", "stored", "step", "promise"),
        Edge("go", "?"),
        Edge("stored", "joined", "step", "child has ended"),
        Edge("late", "ended", "step", "undone"),
        Edge("go", "late", "failure", "KeyError or 3 attempts failed, then undo"),
        Edge("timeout", "late", "timeout", "1:00:00"),
    )
    assert chart().commands == ("start()", "wake()")
    assert chart().steps == ("go", "stored", "joined", "late")


def test_what_cannot_be_known_is_said() -> None:
    assert chart().unknown == (
        "go: where cast('Any', self).sometimes leads is not known: it is no self.<step>",
        "joined: its source names no effect; what another function returns is not known",
    )


def test_mermaid_draws_the_path_bold() -> None:
    text = mermaid(chart(), [("start()", "go"), ("go", "joined")], "joined")
    assert text.startswith("flowchart TD\n")
    assert '    n0(["start()"])' in text
    assert '    n3["stored"]' in text
    assert "    n2 -.->|KeyError or 3 attempts failed, then undo| n5" in text
    assert "|seen|" in text, "a way that the source does not name was taken all the same"
    assert "linkStyle 1,10 stroke" in text
    assert text.count("class n0,n2,n4 taken") == 1
    assert "class n4 now" in text
    assert "%% joined: its source names no effect" in text


def test_without_an_instance_nothing_is_bold() -> None:
    assert "linkStyle" not in mermaid(chart())
    assert "penwidth" not in dot(chart())


def test_dot_says_the_same() -> None:
    text = dot(chart(), [("start()", "go")], "go")
    assert text.startswith('digraph "tour" {')
    assert 'n0 -> n2 [label="", style=solid, color="#c2410c", penwidth=3];' in text
    assert 'fillcolor="#fed7aa"' in text
    assert text.count("->") == len(chart().edges)
