"""Where words go: results to stdout, notes and errors to stderr, JSON alone under `--json`."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from actorkalix.cli.pages import page_of
from actorkalix.errors import ActorkalixError, DefinitionError

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.progress import Progress


PIPE_COLUMNS = 160
"""Width of tables that are not written to a terminal: enough for most lines to stay whole."""


def utc(ms: int) -> str:
    """A moment in milliseconds since 1970, in UTC as ISO 8601 writes it."""
    moment = datetime.fromtimestamp(ms / 1000, UTC)
    return moment.isoformat(sep=" ", timespec="milliseconds").replace("+00:00", "Z")


class Output:
    """One command's output.

    Args:
        as_json: `--json` was given.
    """

    def __init__(self, as_json: bool) -> None:
        self.as_json = as_json

    def document(self, value: object) -> None:
        """One JSON document on one stdout, indented where a person looks at it."""
        encoded = msgspec.json.encode(value)
        if sys.stdout.isatty():
            encoded = msgspec.json.format(encoded, indent=2)
        print(encoded.decode(), flush=True)

    def line(self, value: object) -> None:
        """One JSON document a line, for what comes bit by bit."""
        print(msgspec.json.encode(value).decode(), flush=True)

    def show(self, *results: RenderableType) -> None:
        """Results for a person, on stdout."""
        console = self._console(stderr=False)
        with console.capture() as capture:
            for result in results:
                console.print(result, soft_wrap=isinstance(result, str))
        # Tables fill their last column with blanks; nobody wants them in a pipe.
        print("\n".join(line.rstrip() for line in capture.get().splitlines()), flush=True)

    @contextmanager
    def redrawing(self) -> Generator[Callable[[RenderableType], None]]:
        """Show one thing on a terminal, each time in place of the time before; else below it."""
        from rich.live import Live

        console = self._console(stderr=False)
        if not console.is_terminal:
            yield self.show
            return
        with Live(console=console, auto_refresh=False) as live:
            yield lambda shown: live.update(shown, refresh=True)

    def note(self, text: str) -> None:
        """Something about the results, on stderr."""
        from rich.text import Text

        self._console(stderr=True).print(Text(text, "dim"), soft_wrap=True)

    def working(self, what: str) -> AbstractContextManager[object]:
        """Show on a terminal that something takes its time."""
        return self._console(stderr=True).status(what)

    def bars(self, *, of_bytes: bool = True) -> Progress:
        """Bars for bytes or for other things; on a terminal alone, and gone when they are done."""
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
            TransferSpeedColumn,
        )

        console = self._console(stderr=True)
        counted = (DownloadColumn(), TransferSpeedColumn()) if of_bytes else (MofNCompleteColumn(),)
        return Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            *counted,
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )

    def error(self, error: ActorkalixError) -> None:
        """An error: its number, its message, what to do now."""
        page = page_of(type(error))
        if self.as_json:
            problems = error.problems if isinstance(error, DefinitionError) else ()
            document: dict[str, object] = {
                "number": error.number,
                "code": error.code,
                "message": str(error),
                "what_to_do": page.what_to_do,
            }
            if len(problems) > 1:
                document["problems"] = problems
            self.line({"error": document})
            return
        from rich.text import Text

        console = self._console(stderr=True)
        said = Text.assemble((error.number, "bold red"), " ", (str(error), "red"))
        more = (f"(actorkalix explain {error.number})", "dim")
        console.print(said, soft_wrap=True)
        console.print(Text.assemble(f"What to do: {page.what_to_do} ", more), soft_wrap=True)

    def _console(self, *, stderr: bool) -> Console:
        from rich.console import Console

        stream = sys.stderr if stderr else sys.stdout
        wide = None if stream.isatty() or "COLUMNS" in os.environ else PIPE_COLUMNS
        return Console(file=stream, width=wide, highlight=False, emoji=False, markup=False)
