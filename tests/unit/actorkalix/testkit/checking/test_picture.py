"""The picture of a history."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import msgspec
import pytest

from actorkalix.testkit.checking import Finding, Verdict, linearizability, picture
from actorkalix.testkit.checking.picture import OPERATIONS_DRAWN_MAX
from tests.unit.actorkalix.testkit.checking.samples import Register, history, op

VOID = {"meta"}


class Balanced(HTMLParser):
    """Tags that are open, and what was in the document."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def parsed(document: str) -> Balanced:
    parser = Balanced()
    parser.feed(document)
    assert parser.open == []
    return parser


def bars(document: str) -> list[str]:
    """The groups of the bars, one each."""
    return re.findall(r"<g class=.*?</g>", document, re.DOTALL)


FAILING = history(
    op(1, "a", (0, 1), "set", 1),
    op(2, "b", (2, 5), "get", value=None),
    op(3, "c", (3, None), "set", 2, outcome="unknown", key="k<1>"),
    op(4, "a", (4, 6), "set", 3, outcome="not_executed"),
    op(5, "a", (7, 8), "get", value=1),
    op(6, "z", (0, 1), "set", 1, entity="fine"),
)


def test_only_what_fails_is_drawn_and_the_offending_one_is_marked() -> None:
    verdict = linearizability(FAILING.operations, {"c": Register()})
    document = picture(FAILING, [verdict])
    tags = parsed(document).tags
    drawn = bars(document)
    assert len(drawn) == 5
    assert "&#x27;fine&#x27;" not in document
    assert [name for name in drawn if 'class="bad"' in name] == [drawn[1]]
    assert ">✗ " in drawn[1]
    assert 'class="later"' in drawn[4]
    assert "place 1 in the longest order that holds" in drawn[0]
    assert sum(tag == "svg" for tag, _ in tags) == 2
    whole = picture(FAILING, [verdict], everything=True)
    assert len(bars(whole)) == 6


def test_outcomes_have_their_colours_and_what_nobody_knows_lasts_to_the_end() -> None:
    document = picture(FAILING)
    assert len(bars(document)) == 6
    rects: list[dict[str, Any]] = [d for tag, d in parsed(document).tags if tag == "rect"]
    assert [rect["class"] for rect in rects] == [
        "bar ok", "bar ok", "bar unknown", "bar not_executed", "bar ok", "bar ok",
    ]  # fmt: skip
    ends = [int(rect["x"]) + int(rect["width"]) for rect in rects[:5]]
    assert max(ends) == ends[2]
    lanes = [int(rect["y"]) for rect in rects[:5]]
    assert lanes[0] == lanes[3] == lanes[4] != lanes[1]


def test_nothing_is_loaded_from_elsewhere() -> None:
    document = picture(FAILING)
    assert not re.search(r"(src|href|@import|url\()", document)
    assert "<script" not in document


@pytest.mark.parametrize("field", ["client", "entity", "component", "method", "key"])
def test_all_texts_are_escaped(field: str) -> None:
    evil = "</title></style><script>alert('&\"')</script>"
    plain = op(1, "a", (0, 1), "set", evil, evil)
    made = history(
        msgspec.structs.replace(plain, **{field: evil}),
        op(2, "b", (0, 1), "set", 1),
        service=evil,
    )
    verdict = Verdict("r", "found", 1, (Finding(evil, "c", "x", (1,)), Finding(evil)), evil)
    for verdicts in ([], [verdict]):
        document = picture(made, verdicts, everything=True)
        assert "<script" not in document
        assert "&lt;script&gt;" in document
        parsed(document)


def test_findings_are_told_in_words() -> None:
    verdict = Verdict("no_gaps", "found", 7, (Finding("shard 1 has two writers"),), "the first 1")
    text = parsed(picture(FAILING, [verdict])).text
    assert "no_gaps: found, 7 judged (the first 1)" in text
    assert "shard 1 has two writers" in text


def test_a_thousand_operations_are_drawn_and_bounds_hold() -> None:
    many = [op(n, f"c{n % 16}", (10 * n, 10 * n + 9), "set", n) for n in range(1, 1_001)]
    assert len(bars(picture(history(*many)))) == 1_000
    apart = [op(n, "c", (2 * n, 2 * n + 1), "set", n, entity=str(n % 7)) for n in range(1, 6_001)]
    document = picture(history(*apart))
    assert len(bars(document)) <= OPERATIONS_DRAWN_MAX
    assert "and 2 more entities" in document
    one = [op(n, "c", (2 * n, 2 * n + 1), "set", n) for n in range(1, 6_001)]
    document = picture(history(*one))
    assert len(bars(document)) == OPERATIONS_DRAWN_MAX
    assert "the first 5,000 of 6,000" in document
