"""Bugs of workflows: what number 5 of the ten hardest is about."""

from __future__ import annotations

from .mutant import Mutant
from .planting import edit
from .scenarios import late_calls, workflows

ENGINE = "actorkalix.engine"
HOST = "actorkalix_cluster.shardhost"
FOLLOW, BEGIN = "workflows_follow", "steps_follow"

MUTANTS = (
    Mutant(
        "late_result_accepted",
        "the result of an execution that was cut off is taken",
        FOLLOW,
        workflows,
        edit(
            f"{ENGINE}.workflow:WorkflowBehavior._take",
            "if fired.token != token_of(flow.control):",
            "if not fired.token:",
        ),
        edit(
            f"{HOST}.firing:Firings.halt",
            "self._note(self._halted, fire, _NOTHING)",
            "self._calls[subject] = fire",
        ),
    ),
    Mutant(
        "retry_counter_reset",
        "a workflow that comes back from storage has no failed attempts",
        FOLLOW,
        workflows,
        edit(
            f"{ENGINE}.workflow:WorkflowBehavior.restore",
            "control=control,",
            "control=msgspec.structs.replace(control, failures=0),",
        ),
    ),
    Mutant(
        "pause_over_after_resume",
        "the end of a pause goes on with its step though a command has resumed",
        FOLLOW,
        workflows,
        edit(
            f"{ENGINE}.workflow:WorkflowBehavior._step",
            "act = TABLE[flow.control.status, ask]",
            "act = TABLE[flow.control.status, ask]\n"
            "    if ask is Ask.DUE and flow.control.late and flow.control.status in BUSY:\n"
            "        act = Act.PASS",
        ),
        edit(
            f"{ENGINE}.workflow_move:Move._activate",
            'late="",',
            "late=control.late if control.status is Status.PAUSED else '',",
        ),
    ),
    Mutant(
        "step_before_its_record",
        "a step begins when the transition to it is decided, not when that is durable",
        BEGIN,
        workflows,
        edit(
            f"{HOST}.driver:Driver._stepped",
            "self._commits.put(flight)",
            "self._commits.put(flight)\n"
            "    if flight.fire:\n"
            "        self._commits.settle.__self__._timers.fire(actor.component, actor.entity)",
        ),
        edit(
            f"{HOST}.driver:Driver._answer_after_flights",
            "if actor.flights:",
            "if actor.flights and ticket.message.kind is not MessageKind.EXPIRE:",
        ),
    ),
    Mutant(
        "undone_twice",
        "each attempt of a step registers its undo call anew",
        FOLLOW,
        workflows,
        edit(
            f"{ENGINE}.workflow_draft:Draft.register",
            "if unpack_messages(keyed)[0].key not in known:",
            "if keyed:",
        ),
    ),
    Mutant(
        "late_call_after_undo",
        "what was done is undone while calls of the failed step are still on their way",
        "undone_in_time",
        late_calls,
        edit(
            f"{ENGINE}.workflow_attempt:attempt_failed",
            "quiet_ms = outcome.calls_until_ms",
            "quiet_ms = 0",
            "if flow.doubtful:",
            "if False:",
        ),
    ),
)
