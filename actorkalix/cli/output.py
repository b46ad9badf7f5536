"""Where words go: results to stdout, notes and errors to stderr, JSON alone under `--json`."""

from __future__ import annotations

import os
import sys
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

import msgspec

from actorkalix.cli.pages import page_of
from actorkalix.errors import ActorkalixError, DefinitionError

if TYPE_CHECKING:
    from rich.console import Console, RenderableType


PIPE_COLUMNS = 160
"""Width of tables that are not written to a terminal: enough for most lines to stay whole."""


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

    def note(self, text: str) -> None:
        """Something about the results, on stderr."""
        from rich.text import Text

        self._console(stderr=True).print(Text(text, "dim"), soft_wrap=True)

    def working(self, what: str) -> AbstractContextManager[object]:
        """Show on a terminal that something takes its time."""
        return self._console(stderr=True).status(what)

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
