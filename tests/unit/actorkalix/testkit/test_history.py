"""Histories are read strictly: what does not fit is named with its line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actorkalix.errors import HistoryUnreadable
from actorkalix.gateway.tokens import Mark
from actorkalix.testkit.history import (
    Header,
    Operation,
    Refusal,
    history_of,
    parse_history,
    read_history,
)

HEAD = {"actorkalix_history": 1, "service": "shop", "clock": "ns", "started_ms": 5}
LINE = {
    "client": "c1",
    "id": 7,
    "component": "cart",
    "entity": "a",
    "kind": "command",
    "method": "add",
    "arguments": {"item": "pen"},
    "invoked": 1200,
    "returned": 1900,
    "outcome": "ok",
    "value": 3,
}


def file_of(*lines: Any) -> bytes:
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def refused(data: bytes) -> str:
    with pytest.raises(HistoryUnreadable) as caught:
        parse_history(data)
    return str(caught.value)


def line(**more: Any) -> dict[str, Any]:
    return {**LINE, **more}


def test_a_history_is_read() -> None:
    unknown = line(id=8, client="c2", outcome="unknown", returned=None)
    del unknown["value"]
    failed = line(id=9, invoked=1900, returned=1901, outcome="error", error={"code": "aborted"})
    del failed["value"]
    read = parse_history(file_of(HEAD, LINE, unknown, failed))
    assert read.header == Header(1, "shop", "ns", 5)
    first, second, third = read.operations
    assert (first.arguments, first.value, first.returned) == ({"item": "pen"}, 3, 1900)
    assert (second.outcome, second.returned) == ("unknown", None)
    assert third.error == Refusal("aborted")
    assert str(first) == 'operation 7 (c1: add {"item":"pen"} -> 3)'
    assert str(third) == 'operation 9 (c1: add {"item":"pen"} -> aborted)'


def test_a_history_without_its_last_newline_is_whole() -> None:
    assert len(parse_history(file_of(HEAD, LINE).rstrip()).operations) == 1


WRONG: dict[str, tuple[bytes, str]] = {
    "empty file": (b"", "line 1: the file is empty; the first line is the header"),
    "no operations": (file_of(HEAD), "line 1: the history has no operations; an empty history"),
    "no header": (file_of(LINE), 'no header of a history; it is as {"actorkalix_history":1'),
    "no JSON": (b"PK\x03\x04\n", "line 1: no header of a history (JSON is malformed"),
    "a list": (b"[1]\n", "line 1: no header of a history; it is as"),
    "version": (
        file_of({**HEAD, "actorkalix_history": 2}, LINE),
        "line 1: a history of version 2; this version reads 1",
    ),
    "clock": (file_of({**HEAD, "clock": "s"}, LINE), "line 1: no header of a history (Invalid"),
    "header field": (file_of({**HEAD, "x": 1}, LINE), "unknown field `x`"),
    "cut": (file_of(HEAD, LINE)[:-9], "line 2: the file was cut here (Input data was truncated)"),
    "cut header": (file_of(HEAD)[:-9], "line 1: no header of a history (Input data was truncated"),
    "blank line": (file_of(HEAD) + b"\n" + file_of(LINE), "line 2: Input data was truncated; a"),
    "field": (file_of(HEAD, line(colour=1)), "line 2: Object contains unknown field `colour`; a"),
    "missing": (file_of(HEAD, {"client": "c"}), "missing required field `id`; a line is one"),
    "type": (file_of(HEAD, line(invoked="x")), "line 2: Expected `int`, got `str` - at `$.invoked"),
    "kind": (file_of(HEAD, line(kind="x")), "line 2: Invalid enum value 'x' - at `$.kind`"),
    "outcome": (file_of(HEAD, line(outcome="no")), "Invalid enum value 'no' - at `$.outcome`"),
    "bytes": (file_of(HEAD) + b'{"client":"\xff"}\n', "line 2: not UTF-8"),
    "deep": (file_of(HEAD) + b"[" * 9_999 + b"\n", "line 2: "),
    "backwards": (
        file_of(HEAD, LINE, line(id=8, client="d", invoked=10, returned=9)),
        "line 3: operation 8 returned at 9, before it was invoked at 10; times are of one clock",
    ),
    "never returned": (
        file_of(HEAD, line(returned=None)),
        "line 2: operation 7 never returned and is ok; such an outcome is unknown",
    ),
    "error without": (
        file_of(HEAD, line(outcome="error")),
        "line 2: operation 7 is error; an error, and nothing else, has `error`",
    ),
    "error besides": (file_of(HEAD, line(error={"code": "aborted"})), "and nothing else, has"),
    "value besides": (
        file_of(HEAD, line(outcome="unknown")),
        "line 2: operation 7 is unknown and has a value; only what is ok has one",
    ),
    "no client": (file_of(HEAD, line(client="")), "operation 7 has no client or no method"),
    "same id": (
        file_of(HEAD, LINE, line(client="d")),
        "line 3: the id 7 is that of line 2; each has its own",
    ),
    "two at once": (
        file_of(HEAD, line(id=8, invoked=1500, returned=2500), LINE),
        "line 2: client 'c1' has two operations at once, 7 (line 3) and 8; "
        "what asks at once is several clients",
    ),
    "after the end": (
        file_of(HEAD, line(outcome="unknown", returned=None, value=None), line(id=8, invoked=1900)),
        "line 3: client 'c1' has two operations at once",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_what_does_not_fit_is_named(name: str) -> None:
    data, text = WRONG[name]
    said = refused(data)
    assert said.startswith("line ")
    assert text in said


def test_a_client_goes_on_after_it_was_told_that_nobody_knows() -> None:
    told = line(outcome="unknown", value=None)
    assert parse_history(file_of(HEAD, told, line(id=8, invoked=1900, returned=1900)))


def test_times_that_touch_are_no_overlap() -> None:
    at_once = line(id=8, invoked=1900, returned=1900), line(id=9, invoked=1900, returned=1950)
    assert parse_history(file_of(HEAD, at_once[1], at_once[0], LINE))


def test_files(tmp_path: Path) -> None:
    file = tmp_path / "history.jsonl"
    with pytest.raises(HistoryUnreadable, match=r"history\.jsonl: No such file"):
        read_history(file)
    file.write_bytes(file_of(HEAD))
    with pytest.raises(HistoryUnreadable, match=r"history\.jsonl, line 1: the history has no"):
        read_history(str(file))
    file.write_bytes(file_of(HEAD, LINE))
    assert len(read_history(file).operations) == 1
    with pytest.raises(HistoryUnreadable, match="Is a directory"):
        read_history(tmp_path)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)


@given(JSON, JSON, st.text(min_size=1, max_size=9), st.integers(0, 2**64 - 1))
def test_what_is_written_is_read(arguments: Any, value: Any, text: str, lineage: int) -> None:
    made = Operation(
        client=text,
        id=1,
        component=text,
        entity=text,
        kind="command",
        method=text,
        arguments=arguments,
        metadata=((text, text),),
        key=text,
        invoked=0,
        returned=1,
        outcome="ok",
        value=value,
        position=Mark(1, lineage, 2, 3),
        token=text,
    )
    whole = history_of(Header(1, text, "step"), [made])
    assert parse_history(whole.encode()) == whole


@given(st.binary(max_size=60))
def test_any_bytes_are_a_history_or_an_error(data: bytes) -> None:
    for given_bytes in (data, file_of(HEAD) + data, file_of(HEAD, LINE) + data):
        said = "line 1: it was read"
        try:
            assert parse_history(given_bytes).operations
        except HistoryUnreadable as problem:
            said = str(problem)
        assert said.startswith("line ")
