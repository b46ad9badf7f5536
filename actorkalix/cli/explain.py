"""`actorkalix explain`: the page of an error number, or the list of all."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from actorkalix.cli.exits import Exit
from actorkalix.cli.output import Output
from actorkalix.cli.pages import Page, find, pages

if TYPE_CHECKING:
    from rich.console import RenderableType

_OUTCOMES = {
    "not_executed": "nothing was executed; it may be sent again",
    "unknown": "unknown; send again only with the idempotency key of the first time",
}


def execute(arguments: argparse.Namespace, output: Output) -> int:
    """Print one page or all of them."""
    if arguments.number is None:
        known = pages()
        if output.as_json:
            output.document(known)
        else:
            output.show(_list(known))
        return Exit.OK
    page = find(arguments.number)
    if output.as_json:
        output.document(page)
    else:
        output.show(*_page(page))
    return Exit.OK


def _list(known: list[Page]) -> RenderableType:
    from rich.table import Table

    table = Table.grid(padding=(0, 2))
    for page in known[1:]:  # the root of the tree stands for no error of its own
        table.add_row(page.number, page.name, page.meaning.partition("\n")[0])
    return table


def _page(page: Page) -> list[RenderableType]:
    from rich.table import Table
    from rich.text import Text

    facts = Table.grid(padding=(0, 2))
    facts.add_row("HTTP status", str(page.http_status))
    facts.add_row("gRPC code", page.code)
    facts.add_row("outcome", _OUTCOMES[page.outcome])
    return [
        Text.assemble((page.number, "bold"), " ", page.name),
        Text(f"\n{page.meaning}\n"),
        Text.assemble(("What to do: ", "bold"), page.what_to_do, "\n"),
        facts,
    ]
