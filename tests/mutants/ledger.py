"""The ledger of planted bugs; `python -m tests.mutants.ledger` hunts all and writes README.md anew.

The table stands between two lines of the README. A mutant's seed may change with anything in the
product, so a test compares names, texts and rules alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from . import (
    dedicated_bugs,
    delivery_bugs,
    engine_bugs,
    host_bugs,
    link_bugs,
    service_bugs,
    storage_bugs,
    view_bugs,
    workflow_bugs,
)
from .mutant import Catch, Mutant, hunt

MUTANTS = (
    *storage_bugs.MUTANTS,
    *host_bugs.MUTANTS,
    *dedicated_bugs.MUTANTS,
    *link_bugs.MUTANTS,
    *engine_bugs.MUTANTS,
    *service_bugs.MUTANTS,
    *delivery_bugs.MUTANTS,
    *view_bugs.MUTANTS,
    *workflow_bugs.MUTANTS,
)
FILE = Path(__file__).with_name("README.md")
BEGIN, END = "<!-- the table begins -->", "<!-- the table ends -->"
HEAD = "| mutant | what is planted | found by | runs | seconds |\n|---|---|---|---|---|"


def entry(mutant: Mutant) -> str:
    """What a row of the table says of the mutant itself."""
    return f"| `{mutant.name}` | {mutant.about} | `{mutant.rule}` |"


def written() -> list[str]:
    """The rows of the README's table."""
    _, _, rest = FILE.read_text("utf-8").partition(BEGIN)
    table, _, _ = rest.partition(END)
    return [line for line in table.splitlines() if line.startswith("| `")]


def write(rows: list[str]) -> None:
    """Put these rows into the README."""
    before, _, rest = FILE.read_text("utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    table = "\n".join((BEGIN, HEAD, *rows, END))
    FILE.write_text(before + table + after, "utf-8")


def row(mutant: Mutant, catch: Catch | None) -> str:
    """A row of the table."""
    if catch is None:
        return f"{entry(mutant)} survived | |"
    return f"{entry(mutant)} {catch.seed + 1} | {catch.seconds:.1f} |"


def hunted() -> Iterator[str]:
    """A row a mutant, as each is hunted."""
    for mutant in MUTANTS:
        catch = hunt(mutant)
        print(mutant.name, catch, flush=True)
        yield row(mutant, catch)


if __name__ == "__main__":
    write(list(hunted()))
