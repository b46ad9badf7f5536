"""`actorkalix check`."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from actorkalix.cli import check
from tests.unit.actorkalix.cli.conftest import SHOP
from tests.unit.actorkalix.cli.ran import Ran

Cli = Callable[..., Ran]
HEAD = {"actorkalix_history": 1, "service": "shop"}


def add(id: int, total: Any, times: tuple[int, int], **more: Any) -> dict[str, Any]:
    """One pen more in cart "a"."""
    return {
        "client": f"c{id}",
        "id": id,
        "component": "cart",
        "entity": "a",
        "kind": "command",
        "method": "add",
        "arguments": {"item": "pen"},
        "invoked": times[0],
        "returned": times[1],
        "outcome": "ok",
        "value": total,
        **more,
    }


GOOD = (HEAD, add(1, 2, (0, 10)), add(2, 1, (1, 9)))
LOST = (HEAD, add(1, 1, (0, 10)), add(2, 1, (1, 9)))


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., str]:
    """Writes a history; gives its path."""

    def written(*lines: Any) -> str:
        file = tmp_path / "history.jsonl"
        file.write_text("".join(json.dumps(line) + "\n" for line in lines))
        return str(file)

    return written


def test_a_history_that_holds(cli: Cli, write: Callable[..., str]) -> None:
    ran = cli("check", write(*GOOD), "--service", SHOP)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines() == [
        "passed linearizability: 2 judged",
        "not judged one_execution_per_key: nothing in it to which the rule applies",
        "not judged answers_never_go_back: nothing in it to which the rule applies",
        "2 operations of 2 clients on 1 entities of shop",
    ]
    document = cli("check", write(*GOOD), "--service", SHOP, "--json").document
    assert (document["ok"], document["operations"], document["entities"]) == (True, 2, 1)


def test_a_history_that_does_not(cli: Cli, write: Callable[..., str], tmp_path: Path) -> None:
    html = tmp_path / "out.html"
    ran = cli("check", write(*LOST), "--service", SHOP, "--html", str(html))
    assert ran.code == 1
    assert ran.out.startswith("found linearizability: 2 judged\n  cart 'a': operation 1 (c1: add ")
    assert f"the picture is in {html}" in ran.err
    assert 'class="bad"' in html.read_text(encoding="utf-8")
    document = cli("check", write(*LOST), "--service", SHOP, "--json").document
    assert not document["ok"]
    (finding,) = document["verdicts"][0]["findings"]
    assert (finding["operations"], finding["prefix"], finding["order"]) == ([1], [1, 2], [2])


def test_without_code_the_rules_are_judged_and_it_says_so(
    cli: Cli, write: Callable[..., str]
) -> None:
    keyed = [HEAD, add(1, 1, (0, 1), key="k"), add(2, 2, (2, 3), key="k")]
    ran = cli("check", write(*keyed))
    assert ran.code == 1
    assert "found one_execution_per_key: 2 judged\n  cart 'a': the key 'k' has two" in ran.out
    assert "linearizability was not judged" in ran.err
    keyed[2]["value"] = 1
    assert cli("check", write(*keyed)).code == 0


def test_what_proves_nothing_is_no_pass(cli: Cli, write: Callable[..., str]) -> None:
    ran = cli("check", write(*GOOD), "--json")
    assert (ran.code, ran.error["number"]) == (2, "AK5003")
    assert "give --service module:service" in ran.error["message"]
    ran = cli("check", write(*GOOD), "--service", SHOP, "--operations-min", "3")
    assert ran.code == 1
    assert "2 operations were judged; at least 3 are needed to pass" in ran.out


def test_what_was_given_up_is_no_pass(
    cli: Cli, write: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check, "STATES_MAX", 1)
    ran = cli("check", write(*GOOD), "--service", SHOP)
    assert ran.code == 1
    said = "gave up linearizability: gave up at 1 states on cart 'a'; record fewer clients"
    assert ran.out.startswith(said)


def test_files_that_are_no_history(cli: Cli, write: Callable[..., str], tmp_path: Path) -> None:
    ran = cli("check", str(tmp_path / "none.jsonl"), "--service", SHOP, "--json")
    assert (ran.code, ran.error["number"]) == (2, "AK5021")
    assert "none.jsonl: No such file" in ran.error["message"]
    for lines, text in (
        ((HEAD,), "history.jsonl, line 1: the history has no operations"),
        ((HEAD, {"client": 1}), "history.jsonl, line 2: Expected `str`, got `int`"),
    ):
        ran = cli("check", write(*lines), "--service", SHOP, "--json")
        assert (ran.code, ran.error["number"]) == (2, "AK5021")
        assert text in ran.error["message"]


WHOLE = b"".join(json.dumps(line).encode() + b"\n" for line in GOOD)
RECORDS = WHOLE.partition(b"\n")[2]


@pytest.mark.parametrize(
    "data, text",
    [
        (b"", "line 1: the file is empty; the first line is the header of a history"),
        (b"\n", "line 1: no header of a history (Input data was truncated)"),
        (WHOLE[:-20], "line 3: the file was cut here (Input data was truncated)"),
        (WHOLE[:20], "line 1: no header of a history (Input data was truncated)"),
        (RECORDS, 'line 1: no header of a history; it is as {"actorkalix_history":1'),
        (
            WHOLE.replace(b'history": 1', b'history": 2'),
            "line 1: a history of version 2; this version reads 1",
        ),
        (WHOLE + b"\0" * 512, "line 4: the file was cut here (JSON is malformed"),
        (WHOLE.replace(b"pen", b"p\xffn"), "line 2: not UTF-8"),
        (gzip.compress(WHOLE, mtime=0), "line 1: no header of a history ("),
        (random.Random(1).randbytes(9_999), "line 1: no header of a history ("),
        (b"[" * 99_999, "line 1: no header of a history ("),
        (WHOLE.decode().encode("utf-16"), "line 1: no header of a history ("),
    ],
)
@pytest.mark.parametrize("options", [("--service", SHOP), ()], ids=["with code", "without"])
def test_garbage_is_named_with_its_line(
    cli: Cli, tmp_path: Path, data: bytes, text: str, options: tuple[str, ...]
) -> None:
    """Whatever it is, an error of the reader's, one line, and never a pass."""
    file, html = tmp_path / "history.jsonl", tmp_path / "out.html"
    file.write_bytes(data)
    ran = cli("check", str(file), *options, "--html", str(html), "--json")
    assert (ran.code, ran.error["number"]) == (2, "AK5021")
    assert ran.error["message"].startswith(f"{file}, {text}")
    assert "\n" not in ran.error["message"]
    assert not html.exists()


def test_a_folder_is_no_history(cli: Cli, tmp_path: Path) -> None:
    ran = cli("check", str(tmp_path), "--service", SHOP, "--json")
    assert (ran.code, ran.error["number"]) == (2, "AK5021")
    assert ran.error["message"] == f"{tmp_path}: Is a directory"


@pytest.mark.parametrize(
    "more, number, text",
    [
        ({"component": "basket"}, "AK5021", "component 'basket' has no model; there is 'cart'"),
        ({"kind": "query"}, "AK5021", "ShoppingCart.add is a command, the history says query"),
        (
            {"method": "hold", "value": None, "returned": 3_600_000_000_001},
            "AK5022",
            "ShoppingCart.hold gives it a time to live of 3600000 ms",
        ),
    ],
)
def test_a_history_of_other_code(
    cli: Cli, write: Callable[..., str], more: dict[str, Any], number: str, text: str
) -> None:
    ran = cli("check", write(HEAD, add(1, 1, (0, 9), **more)), "--service", SHOP, "--json")
    assert (ran.code, ran.error["number"]) == (2, number)
    assert text in ran.error["message"]


def test_a_history_of_another_service(cli: Cli, write: Callable[..., str]) -> None:
    other = write({**HEAD, "service": "bank"}, *GOOD[1:])
    ran = cli("check", other, "--service", SHOP, "--json")
    assert (ran.code, ran.error["number"]) == (2, "AK5021")
    assert ran.error["message"] == "the history is of service 'bank', the code of 'shop'"


def test_a_picture_that_cannot_be_written(
    cli: Cli, write: Callable[..., str], tmp_path: Path
) -> None:
    nowhere = str(tmp_path / "no" / "out.html")
    ran = cli("check", write(*GOOD), "--service", SHOP, "--html", nowhere, "--json")
    assert (ran.code, ran.error["number"]) == (2, "AK5003")
    assert "cannot be written: No such file" in ran.error["message"]
