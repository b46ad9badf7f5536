"""The log is read to the cent."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from examples.loyalty.purchases import Purchase, Totals, add_up, by_customer, parse, read_log


def test_a_line() -> None:
    purchase = parse(1, " 00004 0001 19970101  2   29.33\r\n")
    assert purchase == Purchase(1, "0001", date(1997, 1, 1), 2, 2933)


@pytest.mark.parametrize(
    "text",
    ["", "00004 0001 19970101 2", "00004 0001 19971301 2 29.33", "00004 0001 19970101 2 29.3"],
)
def test_a_line_that_is_none_is_named(text: str) -> None:
    with pytest.raises(ValueError, match="line 7 is no purchase"):
        parse(7, text)


def test_the_whole_log() -> None:
    purchases = read_log()
    assert add_up(purchases) == Totals(6_919, 16_479, 244_091_94, last_line=6_919)
    customers = by_customer(purchases)
    assert len(customers) == 2_357
    assert min(each.day for each in purchases) == date(1997, 1, 1)
    assert max(each.day for each in purchases) == date(1998, 6, 30)


def test_lines_of_a_customer_ascend() -> None:
    for theirs in by_customer(read_log()).values():
        lines = [purchase.line for purchase in theirs]
        assert lines == sorted(lines)


def test_blank_lines_are_no_purchases_but_count_as_lines(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    log.write_text("\n00004 0001 19970101 2 29.33\n\n", encoding="ascii")
    assert [purchase.line for purchase in read_log(log)] == [2]
