"""`actorkalix dead-letters`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from actorkalix_cluster.shardhost.cursors import Parked
from actorkalix_cluster.shardhost.dead_letters import DEAD_LETTERS, letter_of, put_order
from actorkalix_cluster.shardhost.progress import Entry
from actorkalix_storage.api import Append, Position, Record, RecordKind
from actorkalix_storage.lmdbstore import open_store
from tests.unit.actorkalix.cli.ran import Ran
from tests.unit.actorkalix.runtime.failing import mend
from tests.unit.actorkalix.runtime.stock import NOW_MS, SHARDS

Cli = Callable[..., Ran]


def the_id(cli: Cli, billing: str) -> str:
    (letter,) = cli("dead-letters", "--admin", billing, "--json").document["letters"]
    found: str = letter["id"]
    return found


def test_letters_are_listed(cli: Cli, billing: str) -> None:
    letter = the_id(cli, billing)
    for words in ((), ("list",), ("list", "bill:order")):
        ran = cli("dead-letters", *words, "--admin", billing)
        assert ran.code == 0
        head, line = (" ".join(each.split()) for each in ran.out.splitlines())
        assert head == "id component entity number given up attempts failure"
        assert line.startswith(f"{letter} order o1 2 ")
        assert "the printer is out of paper" in line
        assert "actorkalix dead-letters show ID" in ran.err
    ran = cli("dead-letters", "list", "mail:order", "--admin", billing)
    assert (ran.code, ran.out) == (0, "")
    assert "there are no dead letters" in ran.err


def test_one_is_shown_with_its_payload(cli: Cli, billing: str) -> None:
    letter = the_id(cli, billing)
    ran = cli("dead-letters", "show", letter, "--admin", billing)
    assert ran.code == 0
    first, second, payload = ran.out.splitlines()
    assert first.startswith("order 'o1', event 2 int v1 of ")
    assert second.startswith("bill:order failed 10 times, from ")
    assert payload == "7"
    assert f"actorkalix dead-letters replay {letter}, or drop {letter}" in ran.err
    shown = cli("dead-letters", "show", letter, "--admin", billing, "--json").document
    assert (shown["payload"], shown["sequence_number"]) == (7, 2)


def test_one_is_replayed(cli: Cli, billing: str) -> None:
    letter = the_id(cli, billing)
    ran = cli("dead-letters", "replay", letter, "--admin", billing)
    assert (ran.code, ran.out) == (1, "")
    assert "failed again and stays: " in ran.err
    mend()
    ran = cli("dead-letters", "replay", letter, "--admin", billing)
    assert (ran.code, ran.out) == (0, f"{letter} is handled and gone\n")
    ran = cli("dead-letters", "replay", letter, "--admin", billing, "--json")
    assert ran.error["number"] == "AK2003"
    assert "`actorkalix dead-letters` lists them" in ran.error["message"]


def test_one_is_dropped(cli: Cli, billing: str) -> None:
    letter = the_id(cli, billing)
    ran = cli("dead-letters", "drop", letter, "--admin", billing)
    assert (ran.code, ran.out) == (0, f"{letter} is dropped\n")
    ran = cli("dead-letters", "drop", letter, "--admin", billing)
    assert (ran.code, ran.out) == (1, "")
    ran = cli("dead-letters", "drop", letter, "--admin", billing, "--json")
    assert ran.document == {"id": letter, "dropped": False}


@pytest.mark.parametrize(
    "words, number, said",
    [
        (("show",), "AK5003", "`actorkalix dead-letters` lists them"),
        (("eat", "x"), "AK5003", "'eat'"),
        (("show", "x"), "AK2002", "is no id of a dead letter"),
        (("show", "5:bill:order/9"), "AK2003", "there is no dead letter '5:bill:order/9'"),
        (("list", "bill:orders"), "AK2003", "did you mean bill:order?"),
        (("list", "--page", "nonsense"), "AK2002", "page"),
    ],
)
def test_what_cannot_be_done_is_said(
    cli: Cli, billing: str, words: tuple[str, ...], number: str, said: str
) -> None:
    ran = cli("dead-letters", *words, "--admin", billing, "--json")
    assert ran.error["number"] == number
    assert said in ran.error["message"]


def test_a_folder_at_rest_shows_its_letters(cli: Cli, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    store = open_store(folder, service="shop", shards=SHARDS)
    epochs = store.open_shards(range(SHARDS), NOW_MS)
    entry = Entry(5, Position(7, 1, 8), 3, Record(RecordKind.EVENT, "cart", "c1", 3, NOW_MS, b"?"))
    letter = letter_of("mail:cart", entry, Parked("cart", "c1", 2, 8, 10, NOW_MS, "no"), NOW_MS)
    payload = put_order(letter).payload
    record = Record(RecordKind.STATE, DEAD_LETTERS, letter.id, 1, NOW_MS, payload)
    store.commit([Append(5, epochs[5], 0, (record,))])
    store.close()
    where = ("--data", str(folder))
    (view,) = cli("dead-letters", *where, "--json").document["letters"]
    assert view["id"] == letter.id == "5:mail:cart/8"
    ran = cli("dead-letters", "show", letter.id, *where)
    assert ran.code == 0
    assert "the payload is not shown" in ran.err
    for action in ("replay", "drop"):
        assert cli("dead-letters", action, letter.id, *where, "--json").error["number"] == "AK5002"
