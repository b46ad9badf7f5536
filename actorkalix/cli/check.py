"""`actorkalix check`: judges the history of a service, recorded through its clients.

With `--service` each entity of the history is held against its own class, run alone: one order of
its operations has to explain every answer. Rules that need no code are judged in any case.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from actorkalix.cli.exits import Exit
from actorkalix.cli.output import Output
from actorkalix.errors import HistoryUnreadable, InvalidCommandLine
from actorkalix.model.service import Service
from actorkalix.runtime.loading import load_service
from actorkalix.testkit.checking import (
    ANSWER_RULES,
    Evidence,
    Verdict,
    judge,
    linearizability,
    model_of,
    picture,
)
from actorkalix.testkit.checking.linearizability import STATES_MAX
from actorkalix.testkit.history import History, read_history

if TYPE_CHECKING:
    from rich.console import RenderableType

SHOWN_MAX = 5
"""Findings of a rule that a person gets to see; `--json` has them all."""

_COLOURS = {"passed": "bold green", "found": "bold red", "gave_up": "bold red", "not_judged": "dim"}


class Checked(msgspec.Struct, frozen=True):
    """What `--json` prints.

    Attributes:
        history: the file.
        service: what the history is of.
        operations, clients, entities: how many there are in it.
        ok: something was judged, and all that was holds.
        verdicts: one a rule.
    """

    history: str
    service: str
    operations: int
    clients: int
    entities: int
    ok: bool
    verdicts: tuple[Verdict, ...]


def execute(arguments: argparse.Namespace, output: Output) -> int:
    """Judge a history; `Exit.FINDING` when it does not hold, or nobody knows whether it does."""
    history = read_history(arguments.history)
    verdicts = judge(
        Evidence(operations=history.operations),
        ANSWER_RULES,
        operations_min=arguments.operations_min,
    )
    if arguments.service:
        service = load_service(arguments.service, arguments.app_dir)
        verdicts = (_linearizability(history, service, arguments.operations_min), *verdicts)
    elif all(verdict.outcome == "not_judged" for verdict in verdicts):
        raise InvalidCommandLine(
            f"{arguments.history} has neither keys nor positions: without the service's code "
            "nothing in it can be judged; give --service module:service"
        )
    else:
        output.note("linearizability was not judged: that takes the code, --service module:service")
    if arguments.html:
        _write(arguments.html, picture(history, verdicts), output)
    checked = _checked(arguments.history, history, verdicts)
    if output.as_json:
        output.document(checked)
    else:
        output.show(*_shown(checked))
    return Exit.OK if checked.ok else Exit.FINDING


def _linearizability(history: History, service: Service, operations_min: int) -> Verdict:
    if history.header.service != service.name:
        raise HistoryUnreadable(
            f"the history is of service {history.header.service!r}, the code of {service.name!r}"
        )
    lasts_ms = _lasts_ms(history)
    models = {
        component: model_of(descriptor.cls, limits=service.limits, lasts_ms=lasts_ms)
        for component, descriptor in service.descriptor.components.items()
        if descriptor.kind != "action"
    }
    return linearizability(
        history.operations, models, operations_min=operations_min, states_max=STATES_MAX
    )


def _lasts_ms(history: History) -> int:
    """How long the history lasts; steps of a simulation say nothing of it."""
    if history.header.clock != "ns":
        return 0
    first = min(operation.invoked for operation in history.operations)
    last = max(operation.returned or operation.invoked for operation in history.operations)
    return (last - first) // 1_000_000


def _write(path: str, text: str, output: Output) -> None:
    try:
        Path(path).write_text(text, encoding="utf-8")
    except OSError as error:
        said = error.strerror or str(error)
        raise InvalidCommandLine(f"--html {path}: cannot be written: {said}") from error
    output.note(f"the picture is in {path}")


def _checked(path: str, history: History, verdicts: tuple[Verdict, ...]) -> Checked:
    operations = history.operations
    outcomes = {verdict.outcome for verdict in verdicts}
    return Checked(
        path,
        history.header.service,
        len(operations),
        len({operation.client for operation in operations}),
        len({(operation.component, operation.entity) for operation in operations}),
        "passed" in outcomes and outcomes <= {"passed", "not_judged"},
        verdicts,
    )


def _shown(checked: Checked) -> list[RenderableType]:
    from rich.text import Text

    lines: list[RenderableType] = []
    for verdict in checked.verdicts:
        named = (verdict.outcome.replace("_", " "), _COLOURS[verdict.outcome])
        said = verdict.note or f"{verdict.looked_at:,} judged"
        lines.append(Text.assemble(named, f" {verdict.rule}: {said}"))
        lines += [f"  {finding.text}" for finding in verdict.findings[:SHOWN_MAX]]
        if (more := len(verdict.findings) - SHOWN_MAX) > 0:
            lines.append(f"  and {more:,} more (--json has them)")
    counted = f"{checked.operations:,} operations of {checked.clients:,} clients"
    return [*lines, f"{counted} on {checked.entities:,} entities of {checked.service}"]
