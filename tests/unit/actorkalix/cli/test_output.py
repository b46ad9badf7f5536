"""Results on stdout, everything about them on stderr."""

from __future__ import annotations

import json

import pytest

from actorkalix.cli.output import Output, utc
from actorkalix.errors import DefinitionError, FolderInUse


def test_results_and_notes_go_separate_ways(capsys: pytest.CaptureFixture[str]) -> None:
    output = Output(False)
    output.show("[bold]a result[/]  :smile:")
    output.note("x" * 300)
    out, err = capsys.readouterr()
    assert out == "[bold]a result[/]  :smile:\n"
    assert err == "x" * 300 + "\n"


def test_an_error_is_its_number_message_and_advice(capsys: pytest.CaptureFixture[str]) -> None:
    Output(False).error(FolderInUse("data is open in process 7"))
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "AK4004 data is open in process 7",
        "What to do: stop that process, or use another folder with `--data`. "
        "(actorkalix explain AK4004)",
    ]


def test_an_error_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    Output(True).error(DefinitionError("a\nb", ("a", "b")))
    out, err = capsys.readouterr()
    assert err == ""
    error = json.loads(out)["error"]
    assert (error["number"], error["code"]) == ("AK1001", "failed_precondition")
    assert (error["message"], error["problems"]) == ("a\nb", ["a", "b"])
    assert error["what_to_do"]


def test_documents_and_lines_are_json(capsys: pytest.CaptureFixture[str]) -> None:
    Output(True).document({"a": [1]})
    Output(True).line({"b": 2})
    assert capsys.readouterr().out == '{"a":[1]}\n{"b":2}\n'


def test_drawing_again_off_a_terminal_is_one_below_the_other(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with Output(False).redrawing() as draw:
        draw("one")
        draw("two")
    assert capsys.readouterr().out == "one\ntwo\n"


def test_drawing_again_on_a_terminal_takes_the_place_of_what_was_there(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # to rich this makes it a terminal
    monkeypatch.setenv("TERM", "xterm")
    with Output(False).redrawing() as draw:
        draw("one")
        draw("two")
    out = capsys.readouterr().out
    assert out.index("one") < out.index("\x1b[2K") < out.index("two")


def test_moments_are_in_utc() -> None:
    assert utc(1_700_000_000_123) == "2023-11-14 22:13:20.123Z"
