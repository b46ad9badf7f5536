"""The chart of a workflow: what its steps and commands lead to, as far as their source says.

Effects are found in the syntax tree of each method: `self.effects....transition_to(self.deposit)`
and its like, wherever they stand in it. What the source does not say plainly cannot be known: a
step that is chosen by a variable or by `getattr`, and effects that another function returns. It is
listed beside the chart (`unknown`), and a dashed line that ends at a question mark stands for it.

A chart becomes Mermaid text, or Graphviz' DOT. What an instance has gone through is drawn bold.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Literal, TypeAlias

import msgspec

from actorkalix.describe.descriptors import ComponentDescriptor, StepDescriptor
from actorkalix.model.workflows import CONTROLS

Kind: TypeAlias = Literal["step", "failure", "timeout"]

_TARGETS = {
    "transition_to": ("", "step"),
    "pause": ("then", "timeout"),
    "wait_for": ("then", "step"),
    "start_child": ("then", "step"),
    "start_children": ("then", "step"),
    "compensate": ("then", "step"),
}
"""Effects with a step, by the argument that names it ("" is the first), and what the line says."""

_ENDS = {"end": "ended", "delete_workflow": "deleted"}
_LABELS = {
    "wait_for": "promise",
    "start_child": "child has ended",
    "start_children": "children have ended",
    "compensate": "undone",
}
START, UNKNOWN = "start", "?"


class Edge(msgspec.Struct, frozen=True):
    """A way from one node to another.

    Attributes:
        source, target: steps, commands (as "start()"), or "ended", "deleted", "failed", "paused",
            "?".
        kind: a failure's and a timeout's are dashed.
        label: what leads there, or "".
    """

    source: str
    target: str
    kind: Kind = "step"
    label: str = ""


class Chart(msgspec.Struct, frozen=True):
    """A workflow's steps and what leads where.

    Attributes:
        component: its id.
        commands, steps: by name; commands with "()" behind it.
        edges: in the order of the source.
        unknown: what could not be known, a line each.
    """

    component: str
    commands: tuple[str, ...]
    steps: tuple[str, ...]
    edges: tuple[Edge, ...]
    unknown: tuple[str, ...] = ()


def chart_of(workflow: ComponentDescriptor) -> Chart:
    """The chart of a workflow's class."""
    names = {step.attribute: name for name, step in workflow.steps.items()}
    edges: list[Edge] = []
    unknown: list[str] = []
    commands = [
        name
        for name, handler in workflow.handlers.items()
        if handler.kind == "command" and name not in CONTROLS
    ]
    methods = [(f"{name}()", workflow.handlers[name].fn) for name in commands]
    methods += [(name, step.handler.fn) for name, step in workflow.steps.items()]
    for source, fn in methods:
        read = _Read(source, names, set(commands))
        read.read(fn)
        edges += read.edges
        unknown += read.unknown
    for step in workflow.steps.values():
        edges += _recovery(step)
    late = workflow.options.get("on_timeout")
    late = getattr(late, "step", late)
    if workflow.options.get("timeout") is not None:
        target = late if isinstance(late, str) else "timed_out"
        edges.append(Edge("timeout", target, "timeout", str(workflow.options["timeout"])))
    starting = tuple(f"{name}()" for name in commands)
    once = tuple(dict.fromkeys(edges))
    return Chart(
        workflow.component_id, starting, tuple(workflow.steps), once, tuple(dict.fromkeys(unknown))
    )


def _recovery(step: StepDescriptor) -> Iterator[Edge]:
    recovery = step.recovery
    reasons = [error.__name__ for error in recovery.final]
    if recovery.retries > 0:
        reasons.append(f"{recovery.retries + 1} attempts failed")
    elif recovery.retries == 0:
        reasons = ["it failed"]
    if not reasons:
        return
    label = " or ".join(reasons) + (", then undo" if recovery.undoes else "")
    yield Edge(step.name, recovery.step or "failed", "failure", label)


class _Read:
    """Reads one method."""

    def __init__(self, source: str, names: dict[str, str], commands: set[str]) -> None:
        self._source = source
        self._names = names
        self._commands = commands
        self.edges: list[Edge] = []
        self.unknown: list[str] = []
        self._found = False

    def read(self, fn: Callable[..., Any]) -> None:
        try:
            tree = ast.parse(textwrap.dedent(inspect.getsource(inspect.unwrap(fn))))
        except (OSError, TypeError, SyntaxError):
            self._cannot("its source is not there, so nothing is known of it")
            return
        for call in _calls(tree):
            self._call(call)
        if not self._found and not self._source.endswith("()"):
            self._cannot("its source names no effect; what another function returns is not known")

    def _call(self, node: ast.Call) -> None:
        if not isinstance(node.func, ast.Attribute):
            return
        effect = node.func.attr
        if not _of_effects(node.func.value):
            return
        if effect in _ENDS:
            self._to(_ENDS[effect])
        elif effect in _TARGETS:
            argument, kind = _TARGETS[effect]
            self._effect(node, effect, argument, kind)

    def _effect(self, node: ast.Call, effect: str, argument: str, kind: str) -> None:
        named = {one.arg: one.value for one in node.keywords}
        target = node.args[0] if not argument and node.args else named.get(argument)
        if effect == "pause":
            self._to("paused")
            if target is not None:
                self._to_node(target, "timeout", "pause is over")
            return
        if target is None and effect == "compensate":
            self._to("ended", label="undone")
        elif target is not None:
            self._to_node(target, "step", _LABELS.get(effect, ""))
        if (late := named.get("on_timeout")) is not None:
            self._to_node(late, "timeout", "promise is late")

    def _to_node(self, node: ast.expr, kind: Kind, label: str) -> None:
        if (
            isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and node.value.id == "self"
        ):
            if node.attr in self._names:
                self._to(self._names[node.attr], kind, label)
                return
            if node.attr in self._commands:
                self._to(f"{node.attr}()", kind, label)
                return
        self._cannot(f"where {ast.unparse(node)} leads is not known: it is no self.<step>")
        self._to(UNKNOWN, kind, label)

    def _to(self, target: str, kind: Kind = "step", label: str = "") -> None:
        self._found = True
        self.edges.append(Edge(self._source, target, kind, label))

    def _cannot(self, what: str) -> None:
        self.unknown.append(f"{self._source}: {what}")


def _calls(node: ast.AST) -> Iterator[ast.Call]:
    """All calls in a tree, the inner ones first."""
    for child in ast.iter_child_nodes(node):
        yield from _calls(child)
    if isinstance(node, ast.Call):
        yield node


def _of_effects(node: ast.expr) -> bool:
    """Whether a call belongs to `self.effects` or to what it, or a method beside it, has made."""
    direct = isinstance(node, ast.Name) and node.id == "self"
    while isinstance(node, (ast.Attribute, ast.Call)):
        if isinstance(node, ast.Attribute):
            if node.attr in ("client", "timers", "resources"):
                return False
            node = node.value
        else:
            node = node.func
    # A name: an effect that was made before, as in `update = self.effects.update_state(...)`.
    return isinstance(node, ast.Name) and not direct


# ---- drawing ----------------------------------------------------------------------------------
def mermaid(chart: Chart, taken: Iterable[tuple[str, str]] = (), at: str = "") -> str:
    """The chart as a Mermaid flow chart.

    Args:
        chart: to draw.
        taken: pairs of nodes that an instance has gone from and to.
        at: where it is now, "" for nowhere.
    """
    path, ids = set(taken), _ids(chart, taken, at)
    lines = ["flowchart TD"]
    for name, node in ids.items():
        if name.endswith("()"):
            lines.append(f'    {node}(["{name}"])')
        elif name in chart.steps:
            lines.append(f'    {node}["{name}"]')
        else:
            lines.append(f'    {node}(("{name}"))')
    bold: list[int] = []
    for place, edge in enumerate(_edges(chart, path)):
        arrow = "-->" if edge.kind == "step" else "-.->"
        label = f"|{edge.label}|" if edge.label else ""
        lines.append(f"    {ids[edge.source]} {arrow}{label} {ids[edge.target]}")
        if (edge.source, edge.target) in path:
            bold.append(place)
    if bold:
        lines.append(f"    linkStyle {','.join(map(str, bold))} stroke:#c2410c,stroke-width:3px")
    gone = [ids[name] for name in dict.fromkeys(name for pair in taken for name in pair)]
    if gone:
        lines.append("    classDef taken stroke:#c2410c,stroke-width:3px")
        lines.append(f"    class {','.join(gone)} taken")
    if at and at in ids:
        lines.append("    classDef now fill:#fed7aa,stroke:#c2410c,stroke-width:3px")
        lines.append(f"    class {ids[at]} now")
    lines += [f"    %% {line}" for line in chart.unknown]
    return "\n".join(lines) + "\n"


def dot(chart: Chart, taken: Iterable[tuple[str, str]] = (), at: str = "") -> str:
    """The same in Graphviz' language."""
    path, ids = set(taken), _ids(chart, taken, at)
    gone = {name for pair in path for name in pair}
    lines = [f"digraph {_quoted(chart.component)} {{", '    node [fontname="sans-serif"];']
    for name, node in ids.items():
        shape = "box" if name in chart.steps else "oval" if name.endswith("()") else "doublecircle"
        style = ', color="#c2410c", penwidth=3' if name in gone else ""
        style += ', style=filled, fillcolor="#fed7aa"' if name == at else ""
        lines.append(f"    {node} [label={_quoted(name)}, shape={shape}{style}];")
    for edge in _edges(chart, path):
        style = "solid" if edge.kind == "step" else "dashed"
        bold = (edge.source, edge.target) in path
        color = ', color="#c2410c", penwidth=3' if bold else ""
        lines.append(
            f"    {ids[edge.source]} -> {ids[edge.target]} "
            f"[label={_quoted(edge.label)}, style={style}{color}];"
        )
    return "\n".join([*lines, "}"]) + "\n"


def _edges(chart: Chart, path: set[tuple[str, str]]) -> list[Edge]:
    """Those of the source, and ways that were taken though the source does not say so."""
    known = {(edge.source, edge.target) for edge in chart.edges}
    seen = [Edge(*pair, label="seen") for pair in sorted(path - known)]
    return [*chart.edges, *seen]


def _ids(chart: Chart, taken: Iterable[tuple[str, str]], at: str) -> dict[str, str]:
    names = [*chart.commands, *chart.steps]
    names += [name for edge in chart.edges for name in (edge.source, edge.target)]
    names += [name for pair in taken for name in pair]
    names += [at] if at else []
    return {name: f"n{place}" for place, name in enumerate(dict.fromkeys(names))}


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
