"""Options of `actorkalix workflows`."""

from __future__ import annotations

from actorkalix.cli.parser import parse
from actorkalix.cli.workflow_parser import WORDS


def test_the_usual_values() -> None:
    usual = parse(["workflows"])
    assert (usual.action, usual.component, usual.id, usual.status) == ("list", None, None, None)
    assert (usual.limit, usual.page, usual.after, usual.step) == (100, "", 0, "")


def test_every_word_is_taken() -> None:
    for word in WORDS:
        assert parse(["workflows", word, "transfer", "t1"]).action == word
    restart = parse(["workflows", "restart", "transfer", "t1", "--from", "deposit"])
    assert (restart.step, restart.anew) == ("deposit", False)
    resolve = parse(["workflows", "resolve", "transfer", "t1", "approval", "true"])
    assert (resolve.promise, resolve.value) == ("approval", "true")
