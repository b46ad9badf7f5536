"""What options have in common."""

from __future__ import annotations

import argparse

import pytest

from actorkalix.cli import options


def test_numbers_say_what_would_be_right() -> None:
    assert options.count("7") == 7
    assert options.up_to(3)("3") == 3
    for text in ("", "-1", "1.5", "x", "65536", "\u0663"):
        with pytest.raises(argparse.ArgumentTypeError, match="a port of 0 to 65535"):
            options.port_number(text)


def test_groups_add_their_options() -> None:
    parser = argparse.ArgumentParser()
    options.source(parser)
    options.pages(parser, "ids")
    read = parser.parse_args(["--data", "d", "--limit", "5", "--page", "t", "--app-dir", "a"])
    assert (read.data, read.limit, read.page, read.app_dir) == ("d", 5, "t", "a")
    assert (read.service, read.admin) == (None, None)
