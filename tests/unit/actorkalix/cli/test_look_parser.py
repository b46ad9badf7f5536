"""Commands that look."""

from __future__ import annotations

import pytest

from actorkalix.cli.look_parser import LOOKING
from actorkalix.cli.parser import COMMANDS, parse
from actorkalix.errors import InvalidCommandLine


def test_they_are_commands() -> None:
    assert set(LOOKING) <= set(COMMANDS)


def test_options_are_read() -> None:
    read = parse(["events", "cart", "c1", "--with-state", "--after", "3"])
    assert (read.component, read.entity, read.with_state, read.after) == ("cart", "c1", True, 3)
    assert parse(["dead-letters", "show", "7"]).action == "show"
    with pytest.raises(InvalidCommandLine, match="invalid choice"):
        parse(["dead-letters", "burn", "7"])
