"""Histories: what clients asked of a service, when, and what they were answered.

Format, version 1: JSON lines in UTF-8. The first line is the header, as
`{"actorkalix_history":1,"service":"shop","clock":"ns","started_ms":1700000000000}`; each further
line is one operation, as `{"client":"c1","id":7,"component":"cart","entity":"a","kind":"command",
"method":"add","arguments":{"item":"pen"},"invoked":1200,"returned":1900,"outcome":"ok","value":3}`.
Lines may stand in any order: times alone say what was before what.

Times are nanoseconds of one monotonic clock, or steps of a simulation. A client has one operation
at a time, so each client is a thread of the history, and one whose operation never returned does
nothing more. Reading is strict, for a checker that overlooks half a file proves nothing: whatever
does not fit is an error that names the line, and a history without operations is none.

An unknown outcome is the honest word for what may have happened, at any time after it was invoked,
or never; also when its client was told so. An error that the entity itself gave is an outcome like
a value, and is judged like one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal, NoReturn

import msgspec

from actorkalix.codec.untyped import is_object
from actorkalix.codec.wording import invalid_utf8
from actorkalix.errors import HistoryUnreadable
from actorkalix.gateway.tokens import Mark

FORMAT = 1
Clock = Literal["ns", "step"]
Kind = Literal["command", "query"]
Outcome = Literal["ok", "error", "not_executed", "unknown"]


class Header(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"format": "actorkalix_history"}
):
    """The first line.

    Attributes:
        format: version of the format.
        service: name of the service.
        clock: what times count: nanoseconds of a monotonic clock, or steps.
        started_ms: when it began, in milliseconds since 1970; 0 where that says nothing.
    """

    format: int
    service: str
    clock: Clock = "ns"
    started_ms: int = 0


class Refusal(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The error that an entity answered with.

    Attributes:
        code: gRPC status name in lower case.
        number: AK number, or "" when it was not recorded.
        message: what it said, or "" when it was not recorded.
        details: of a domain error, or None.
    """

    code: str
    number: str = ""
    message: str = ""
    details: Any = None


class Operation(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True
):
    """What a client asked and was answered.

    Attributes:
        client: who asked; one operation at a time.
        id: of its own in the history.
        component, entity: whom.
        kind, method: what.
        arguments: the JSON body that carried them; None is no body.
        metadata: (name, value) pairs that were sent along.
        key: idempotency key, or "".
        invoked: before it was sent.
        returned: after its answer had arrived; None when none ever did.
        outcome: `ok` with `value`; `error` with `error`, the entity's own; `not_executed`: it
            certainly did not happen; `unknown`: it may have happened, at any time after `invoked`.
        value: the reply, as JSON.
        error: the error.
        position: newest record that the answer rests on, as [shard, lineage, epoch, offset].
        token: consistency token of the answer, or "".
    """

    client: str
    id: int
    component: str
    entity: str
    kind: Kind
    method: str
    invoked: int
    returned: int | None
    outcome: Outcome
    arguments: Any = None
    metadata: tuple[tuple[str, str], ...] = ()
    key: str = ""
    value: Any = None
    error: Refusal | None = None
    position: Mark | None = None
    token: str = ""

    def __str__(self) -> str:
        """As `operation 7 (c1: add {"item":"pen"} -> 3)`; long values are cut."""
        return f"operation {self.id} ({self.client}: {self.asked} -> {self.answered})"

    @property
    def asked(self) -> str:
        """Method and arguments, for people."""
        return f"{self.method} {shown(self.arguments)}" if self.arguments else self.method

    @property
    def answered(self) -> str:
        """The answer, for people."""
        if self.outcome == "ok":
            return shown(self.value)
        if self.error is None:
            return self.outcome
        said = (self.error.number, self.error.code, self.error.message)
        return cut(" ".join(part for part in said if part))


class History(msgspec.Struct, frozen=True):
    """A history that holds together; `history_of` and `parse_history` make it."""

    header: Header
    operations: tuple[Operation, ...]

    def encode(self) -> bytes:
        """The history as a file has it."""
        lines = (self.header, *self.operations)
        return b"".join(_encoder.encode(line) + b"\n" for line in lines)


SHOWN_CHARS_MAX = 80
_FIELDS = "client, id, component, entity, kind, method, invoked, returned, outcome"
_encoder = msgspec.json.Encoder()
_header = msgspec.json.Decoder(Header)
_operation = msgspec.json.Decoder(Operation)


def shown(value: Any) -> str:
    """A value as JSON, cut where it is long."""
    return cut(_encoder.encode(value).decode())


def cut(text: str) -> str:
    """At most `SHOWN_CHARS_MAX` characters of a text."""
    return text if len(text) <= SHOWN_CHARS_MAX else f"{text[: SHOWN_CHARS_MAX - 1]}…"


# ---- reading -------------------------------------------------------------------------------------
def read_history(path: str | Path) -> History:
    """Read a history's file.

    Raises:
        HistoryUnreadable: there is no such file, or it is no history; the message names the line.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise HistoryUnreadable(f"{path}: {error.strerror or error}") from error
    try:
        return parse_history(data)
    except HistoryUnreadable as problem:
        raise HistoryUnreadable(f"{path}, {problem}") from problem


def parse_history(data: bytes) -> History:
    """Read a history.

    Raises:
        HistoryUnreadable: it is none; the message names the line and what would be right.
    """
    lines = data.split(b"\n")
    is_whole = lines[-1] == b""
    if is_whole:
        lines.pop()
    if not lines:
        _refuse(1, "the file is empty; the first line is the header of a history")
    header = _header_of(lines[0])
    last = len(lines)
    operations: list[Operation] = []
    for line, text in enumerate(lines[1:], 2):
        try:
            operations.append(_operation.decode(text))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as problem:
            if line == last and not is_whole:
                _refuse(line, f"the file was cut here ({problem}); take this line out or record it")
            said = "not UTF-8" if invalid_utf8(text) else problem
            _refuse(line, f"{said}; a line is one operation with {_FIELDS}")
    return history_of(header, operations)


def history_of(header: Header, operations: Iterable[Operation]) -> History:
    """A history of these operations, if they hold together.

    Raises:
        HistoryUnreadable: there are none, or they contradict each other; the message names the line
            in which the operation stands in a file.
    """
    kept = tuple(operations)
    if not kept:
        _refuse(1, "the history has no operations; an empty history proves nothing")
    lines = {id(operation): line for line, operation in enumerate(kept, 2)}
    ids: dict[int, int] = {}
    for line, operation in enumerate(kept, 2):
        _check(line, operation)
        if (first := ids.setdefault(operation.id, line)) != line:
            _refuse(line, f"the id {operation.id} is that of line {first}; each has its own")
    _check_clients(kept, lines)
    return History(header, kept)


def _header_of(text: bytes) -> Header:
    right = f'it is as {{"actorkalix_history":{FORMAT},"service":"shop","clock":"ns"}}'
    try:
        found: Any = msgspec.json.decode(text)
        version = found.get("actorkalix_history") if is_object(found) else None
        if version is None:
            _refuse(1, f"no header of a history; {right}")
        if version != FORMAT:
            _refuse(1, f"a history of version {version}; this version reads {FORMAT}")
        return _header.decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as problem:
        _refuse(1, f"no header of a history ({problem}); {right}")


def _check(line: int, operation: Operation) -> None:
    """What an operation may not say of itself."""
    outcome, said = operation.outcome, ""
    if operation.returned is None and outcome != "unknown":
        said = f"never returned and is {outcome}; such an outcome is unknown"
    elif operation.returned is not None and operation.returned < operation.invoked:
        times = f"{operation.returned}, before it was invoked at {operation.invoked}"
        said = f"returned at {times}; times are of one clock that never goes back"
    elif (outcome == "error") != (operation.error is not None):
        said = f"is {outcome}; an error, and nothing else, has `error`"
    elif outcome != "ok" and operation.value is not None:
        said = f"is {outcome} and has a value; only what is ok has one"
    elif not operation.client or not operation.method:
        said = "has no client or no method; both have names"
    if said:
        _refuse(line, f"operation {operation.id} {said}")


def _check_clients(operations: Sequence[Operation], lines: dict[int, int]) -> None:
    last: dict[str, Operation] = {}
    # Of two that begin at once, the one that ended then was the first.
    for operation in sorted(operations, key=lambda o: (o.invoked, _end(o))):
        before = last.get(operation.client)
        if before is not None and _end(before) > operation.invoked:
            _refuse(
                lines[id(operation)],
                f"client {operation.client!r} has two operations at once, {before.id} (line "
                f"{lines[id(before)]}) and {operation.id}; what asks at once is several clients",
            )
        last[operation.client] = operation


def _end(operation: Operation) -> float:
    return float("inf") if operation.returned is None else operation.returned


def _refuse(line: int, text: str) -> NoReturn:
    raise HistoryUnreadable(f"line {line}: {text}")
