"""From the command line to an exit code. Errors that are expected never show a traceback."""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from collections.abc import Sequence

from actorkalix.cli.exits import Exit, exit_of
from actorkalix.cli.output import Output
from actorkalix.cli.parser import parse, parser
from actorkalix.errors import ActorkalixError, InternalError

DEBUG = "ACTORKALIX_DEBUG"
"""Set to 1, this environment variable shows the traceback of a bug."""

VERSION = "actorkalix.cli.version:execute"


def main(typed: Sequence[str] | None = None) -> int:
    """Run the command that was typed.

    Args:
        typed: words behind `actorkalix`; those of the process when None.

    Returns:
        One of `exits.Exit`.
    """
    words = list(sys.argv[1:] if typed is None else typed)
    output = Output("--json" in words)
    try:
        return _execute(words, output)
    except ActorkalixError as error:
        if error.__cause__ is not None and os.environ.get(DEBUG) == "1":
            traceback.print_exception(error.__cause__)
        output.error(error)
        return exit_of(error)
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output (head, less) has enough: that is no failure. The interpreter's own
        # flush at exit would raise again, so stdout goes nowhere from here on.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.OK


def _execute(words: Sequence[str], output: Output) -> int:
    try:
        arguments = parse(words)
        function = VERSION if arguments.version else arguments.function
        if not function:
            parser().print_help()
            return Exit.USAGE
        module, _, name = function.partition(":")
        code = getattr(importlib.import_module(module), name)(arguments, output)
    except (ActorkalixError, BrokenPipeError):
        raise
    except Exception as error:
        said = f"{type(error).__name__}: {error} ({DEBUG}=1 shows where)"
        raise InternalError(said) from error
    assert isinstance(code, int)
    return code
