"""Reads the shop's log: one line a purchase, columns parted by blanks."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

LOG = Path(__file__).parent / "data" / "cdnow_sample.txt"


@dataclass(frozen=True, slots=True)
class Purchase:
    """A line of the log; `line` counts from 1, money is integer cents."""

    line: int
    customer_id: str
    day: date
    cds: int
    cents: int


@dataclass(frozen=True, slots=True)
class Totals:
    """What purchases add up to."""

    purchases: int = 0
    cds: int = 0
    cents: int = 0
    last_line: int = 0


def parse(line: int, text: str) -> Purchase:
    """The purchase that a line of the log tells of.

    Columns: customer in the full log, customer in this sample, date (yyyymmdd), CDs, dollars.

    Raises:
        ValueError: names the line that does not look like that.
    """
    try:
        _, customer_id, day, cds, dollars = text.split()
        whole, point, cents = dollars.partition(".")
        if point != "." or len(cents) != 2:
            raise ValueError("dollars need two decimals")
        return Purchase(
            line=line,
            customer_id=customer_id,
            day=date.fromisoformat(day),
            cds=int(cds),
            cents=int(whole) * 100 + int(cents),
        )
    except ValueError as error:
        raise ValueError(f"line {line} is no purchase: {text.strip()!r} ({error})") from None


def read_log(path: Path = LOG) -> list[Purchase]:
    """All purchases of a log, in its order."""
    lines = path.read_text(encoding="ascii").splitlines()
    return [parse(number, text) for number, text in enumerate(lines, 1) if text.strip()]


def by_customer(purchases: Iterable[Purchase]) -> dict[str, list[Purchase]]:
    """The purchases of each customer, in the order of the log."""
    found: dict[str, list[Purchase]] = {}
    for purchase in purchases:
        found.setdefault(purchase.customer_id, []).append(purchase)
    return found


def by_month(purchases: Iterable[Purchase]) -> dict[str, tuple[int, int]]:
    """Number of purchases and cents of each month (1997-01), in order."""
    found: dict[str, tuple[int, int]] = {}
    for purchase in sorted(purchases, key=lambda one: one.day):
        month = f"{purchase.day:%Y-%m}"
        number, cents = found.get(month, (0, 0))
        found[month] = (number + 1, cents + purchase.cents)
    return found


def add_up(purchases: Iterable[Purchase]) -> Totals:
    """The totals that a customer, or the shop, must come to."""
    totals = Totals()
    for purchase in purchases:
        totals = Totals(
            purchases=totals.purchases + 1,
            cds=totals.cds + purchase.cds,
            cents=totals.cents + purchase.cents,
            last_line=max(totals.last_line, purchase.line),
        )
    return totals
