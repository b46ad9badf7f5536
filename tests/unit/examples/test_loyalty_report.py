"""The summary adds up what the customers say, and names those that differ."""

from __future__ import annotations

import pytest

from examples.loyalty.purchases import Totals
from examples.loyalty.report import by_month_table, differences, dollars, progress, summary


@pytest.mark.parametrize(
    "cents,text", [(0, "$0.00"), (5, "$0.05"), (123_450, "$1,234.50"), (24_409_194, "$244,091.94")]
)
def test_dollars(cents: int, text: str) -> None:
    assert dollars(cents) == text


def test_summary_names_the_five_best_and_the_rate() -> None:
    customers = {f"c{n}": Totals(1, 2, 100 * n, n) for n in range(1, 8)}
    text = summary(customers, sent=7, seconds=0.5)
    assert "14" in text
    assert "$28.00" in text
    best = [line.split()[0] for line in text.splitlines() if line.startswith("  c")]
    assert best == ["c7", "c6", "c5", "c4", "c3"]
    assert "14 a second" in text


def test_months_have_a_line_each() -> None:
    text = by_month_table({"1997-01": (12, 3_450), "1997-02": (1_000, 5)})
    assert [line.split() for line in text.splitlines()[1:]] == [
        ["1997-01", "12", "$34.50"],
        ["1997-02", "1,000", "$0.05"],
    ]


def test_differences_name_the_customer_and_both_sides() -> None:
    expected = {"a": Totals(1, 1, 100, 1), "b": Totals(2, 2, 200, 3)}
    assert differences(expected, dict(expected)) == []
    (line,) = differences(expected, {"a": Totals(1, 1, 100, 1), "b": Totals(3, 3, 300, 3)})
    assert line.startswith("customer b:")
    assert "cents=200" in line
    assert "cents=300" in line


def test_progress_off_a_terminal_is_a_line_for_each_tenth(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with progress("sent", 40) as advance:
        for _ in range(40):
            advance()
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 10
    assert said[-1] == "sent: 40 of 40"
