"""A history as a picture: one HTML file that needs nothing else.

A lane a client, a bar an operation. The axis counts moments, not nanoseconds: what matters is what
was before what, and bars of a microsecond beside bars of a second could not be read. Every text of
the history is escaped; it comes from whoever wrote the file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from typing import NamedTuple

from actorkalix.testkit.history import History, Operation, cut

from .linearizability import by_entity
from .verdicts import Finding, Verdict

OPERATIONS_DRAWN_MAX = 5_000
"""About 5 MB of HTML, which browsers still scroll."""

_STEP = 15  # width of a moment
_LANE = 26
_BAR = 18
_TEXT = 6.3  # width of a character in a bar
_EDGE = 8

_STYLE = """
body{font:14px system-ui,sans-serif;margin:24px;color:#1d2430;background:#fff}
h1{font-size:20px}h2{font-size:16px;margin:28px 0 4px}
p{margin:4px 0;max-width:110ch}
.found{color:#b00020}.passed{color:#1b7f3b}.gave_up,.not_judged{color:#8a5a00}
.picture{display:flex;border:1px solid #d5dae3;border-radius:6px;margin-top:8px}
.names{flex:none;border-right:1px solid #d5dae3}.lanes{overflow-x:auto}
svg{display:block}text{font:11px ui-monospace,monospace;fill:#1d2430}
.lane{stroke:#edf0f5}.bar{stroke:#5b6575;stroke-width:1}
.ok{fill:#cfe8d5}.error{fill:#fde3b8}.not_executed{fill:#e4e7ec}
.unknown{fill:#e3d6f5;stroke-dasharray:4 3}
.later{opacity:.35}.bad .bar{stroke:#b00020;stroke-width:3}.bad text{font-weight:700;fill:#b00020}
.key span{display:inline-block;padding:1px 8px;margin-right:8px;border:1px solid #5b6575}
.key .ok{background:#cfe8d5}.key .error{background:#fde3b8}
.key .not_executed{background:#e4e7ec}.key .unknown{background:#e3d6f5;border-style:dashed}
.key .bad{border:3px solid #b00020}
"""
_KEY = """<p class="key"><span class="ok">answered with a value</span><span class="error">refused
</span><span class="not_executed">not executed</span><span class="unknown">nobody knows: to the end
</span><span class="bad">offending</span> #n: place in the longest order that holds; pale: asked
after the offending one had returned. From left to right: moments, not distances of time.</p>"""


class _Marks(NamedTuple):
    """What is marked in the picture of an entity."""

    offending: frozenset[int]
    prefix: frozenset[int]  # empty: all of it
    places: Mapping[int, int]


def picture(history: History, verdicts: Sequence[Verdict] = (), *, everything: bool = False) -> str:
    """The history as an HTML document.

    Args:
        history: to draw.
        verdicts: over it; what they found is marked, and is all that is drawn.
        everything: draw entities of which nothing was found too.
    """
    findings = [finding for verdict in verdicts for finding in verdict.findings]
    failing = {(f.component, f.entity) for f in findings if f.operations}
    entities = by_entity(history.operations)
    wanted = [at for at in entities if everything or not failing or at in failing]
    wanted.sort(key=lambda at: at not in failing)
    parts = list(_head(history, verdicts))
    drawn = 0
    for number, (component, entity) in enumerate(wanted):
        operations = entities[component, entity]
        if drawn and drawn + len(operations) > OPERATIONS_DRAWN_MAX:
            parts.append(f"<p>and {len(wanted) - number:,} more entities</p>")
            break
        drawn += len(operations)
        own = [f for f in findings if (f.component, f.entity) == (component, entity)]
        parts.append(f"<h2>{_text(component)} {_text(cut(repr(entity)))}</h2>")
        parts.extend(f'<p class="found">{_text(finding.text)}</p>' for finding in own)
        parts.append(_drawn(operations[:OPERATIONS_DRAWN_MAX], _marks(own)))
        if len(operations) > OPERATIONS_DRAWN_MAX:
            parts.append(f"<p>the first {OPERATIONS_DRAWN_MAX:,} of {len(operations):,}</p>")
    parts.append("</body></html>\n")
    return "\n".join(parts)


def _head(history: History, verdicts: Iterable[Verdict]) -> Iterator[str]:
    title = _text(f"History of {history.header.service}")
    yield '<!doctype html><html lang="en"><head><meta charset="utf-8">'
    yield f"<title>{title}</title><style>{_STYLE}</style></head><body><h1>{title}</h1>"
    for verdict in verdicts:
        said = f"{verdict.rule}: {verdict.outcome.replace('_', ' ')}, {verdict.looked_at:,} judged"
        note = f" ({verdict.note})" if verdict.note else ""
        yield f'<p class="{verdict.outcome}">{_text(said + note)}</p>'
        for finding in verdict.findings:
            if not finding.operations:
                yield f'<p class="found">{_text(finding.text)}</p>'
    yield _KEY


def _marks(findings: Iterable[Finding]) -> _Marks:
    offending: set[int] = set()
    prefix: set[int] = set()
    places: dict[int, int] = {}
    for finding in findings:
        offending.update(finding.operations[:1])
        prefix.update(finding.prefix)
        places.update((one, place) for place, one in enumerate(finding.order, 1))
    return _Marks(frozenset(offending), frozenset(prefix), places)


def _drawn(operations: Sequence[Operation], marks: _Marks) -> str:
    clients = sorted({o.client: o.invoked for o in reversed(operations)}.items(), key=_second)
    lanes = {client: lane for lane, (client, _) in enumerate(clients)}
    times = {o.invoked for o in operations}
    times.update(end for o in operations if (end := _returned(o)) is not None)
    moments = {time: moment for moment, time in enumerate(sorted(times))}
    width = (len(moments) + 1) * _STEP + 2 * _EDGE
    height = len(lanes) * _LANE
    names_width = int(max(len(cut(name)) for name in lanes) * 7) + 2 * _EDGE
    names = "".join(
        f'<text x="{_EDGE}" y="{lane * _LANE + 17}">{_text(cut(name))}</text>'
        for name, lane in lanes.items()
    )
    lines = "".join(
        f'<line class="lane" x1="0" x2="{width}" y1="{y}" y2="{y}"/>'
        for y in range(_LANE, height, _LANE)
    )
    bars = "".join(
        _bar(operation, moments, lanes[operation.client], width, marks) for operation in operations
    )
    return (
        f'<div class="picture"><svg class="names" width="{names_width}" height="{height}">{names}'
        f'</svg><div class="lanes"><svg width="{width}" height="{height}">{lines}{bars}</svg>'
        "</div></div>"
    )


def _bar(
    operation: Operation, moments: Mapping[int, int], lane: int, width: int, marks: _Marks
) -> str:
    x = moments[operation.invoked] * _STEP + _EDGE
    returned = _returned(operation)
    end = width - _EDGE if returned is None else moments[returned] * _STEP + _EDGE
    # Half a moment stays free at the end: bars that touch would look like one.
    bar_width = max(end - x - _STEP // 2, _STEP // 2)
    y = lane * _LANE + (_LANE - _BAR) // 2
    is_bad = operation.id in marks.offending
    is_later = bool(marks.prefix) and operation.id not in marks.prefix
    classes = " ".join(name for name, is_so in (("bad", is_bad), ("later", is_later)) if is_so)
    place = marks.places.get(operation.id)
    label = f"{'✗ ' if is_bad else ''}{f'#{place} ' if place else ''}"
    label += f"{operation.asked} → {operation.answered}"
    fits = max(0, int((bar_width - 4) / _TEXT))
    said = label if len(label) <= fits else f"{label[: fits - 1]}…" if fits > 1 else ""
    return (
        f'<g class="{classes}"><title>{_text(_tip(operation, place))}</title>'
        f'<rect class="bar {operation.outcome}" x="{x}" y="{y}" width="{bar_width}" '
        f'height="{_BAR}" rx="3"/><text x="{x + 4}" y="{y + 13}">{_text(said)}</text></g>'
    )


def _tip(operation: Operation, place: int | None) -> str:
    returned = "never" if operation.returned is None else str(operation.returned)
    lines = [
        str(operation),
        f"{operation.component} {cut(repr(operation.entity))} {operation.kind} {operation.outcome}",
        f"invoked {operation.invoked}, returned {returned}",
    ]
    lines += [f"key {operation.key}"] if operation.key else []
    lines += [f"place {place} in the longest order that holds"] if place else []
    return "\n".join(lines)


def _returned(operation: Operation) -> int | None:
    """Where its bar ends; what nobody knows may happen until the end."""
    return None if operation.outcome == "unknown" else operation.returned


def _second(pair: tuple[str, int]) -> int:
    return pair[1]


def _text(text: str) -> str:
    return escape(text, quote=True)
