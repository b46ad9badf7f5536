"""What the replay says: progress while it goes on, the summary at its end."""

import sys
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from examples.loyalty.purchases import Totals


@contextmanager
def progress(doing: str, total: int) -> Generator[Callable[[], None], None, None]:
    """Shows on stderr how far a job is: a bar on a terminal, a line for each tenth elsewhere.

    Yields:
        The function to call after each of the `total` parts.
    """
    console = Console(stderr=True)
    if console.is_terminal:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=console) as bar:
            task = bar.add_task(doing, total=total)
            yield lambda: bar.advance(task)
        return

    done = 0

    def advance() -> None:
        nonlocal done
        done += 1
        if done * 10 // total > (done - 1) * 10 // total:
            print(f"{doing}: {done:,} of {total:,}", file=sys.stderr, flush=True)

    yield advance


def dollars(cents: int) -> str:
    """Cents as people write them: $1,234.50."""
    return f"${cents // 100:,}.{cents % 100:02}"


def summary(customers: Mapping[str, Totals], sent: int, seconds: float) -> str:
    """The shop's totals, its five best customers, and how fast the purchases went in."""
    best = sorted(customers.items(), key=lambda item: (-item[1].cents, item[0]))[:5]
    lines = [
        f"purchases  {sum(totals.purchases for totals in customers.values()):>12,}",
        f"customers  {sum(totals.purchases > 0 for totals in customers.values()):>12,}",
        f"CDs        {sum(totals.cds for totals in customers.values()):>12,}",
        f"dollars    {dollars(sum(totals.cents for totals in customers.values())):>12}",
        "",
        "best customers   purchases    CDs      dollars",
        *(
            f"  {customer:<14} {totals.purchases:>9,} {totals.cds:>6,} {dollars(totals.cents):>12}"
            for customer, totals in best
        ),
        "",
        f"{sent:,} purchases sent in {seconds:.1f} s, {sent / seconds:,.0f} a second, "
        "each on disk before its answer",
    ]
    return "\n".join(lines)


def by_month_table(months: Mapping[str, tuple[int, int]]) -> str:
    """A line for each month: purchases and dollars."""
    lines = (
        f"  {month}        {number:>9,} {dollars(cents):>19}"
        for month, (number, cents) in months.items()
    )
    return "\n".join(("month          purchases             dollars", *lines))


def differences(expected: Mapping[str, Totals], found: Mapping[str, Totals]) -> list[str]:
    """A line for each customer whose totals in the service are not those of the log."""
    return [
        f"customer {customer}: the log has {totals}, the service {found.get(customer)}"
        for customer, totals in expected.items()
        if found.get(customer) != totals
    ]
