"""`actorkalix consumers`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from actorkalix.cli.consumers import _table
from actorkalix.cli.output import Output
from actorkalix.consumer_views import ConsumerView
from actorkalix_cluster.shardhost.cursors import CURSORS, Cursor, Parked, pack_cursors
from actorkalix_storage.api import Append, Record, RecordKind
from actorkalix_storage.lmdbstore import open_store
from tests.unit.actorkalix.cli.ran import Ran
from tests.unit.actorkalix.runtime.failing import Mail, mend
from tests.unit.actorkalix.runtime.stock import NOW_MS, SHARDS

Cli = Callable[..., Ran]


@pytest.fixture(autouse=True)
def wide(plain: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is folded."""
    monkeypatch.setenv("COLUMNS", "200")


def lines(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines()]


def test_consumers_are_listed(cli: Cli, billing: str) -> None:
    ran = cli("consumers", "--admin", billing)
    assert ran.code == 0
    head, bill, mail, outbox = lines(ran.out)
    assert head == "consumer source shards behind parked handled failed given up last failure"
    assert bill.startswith("bill:order order 1,024 0 0 2 10 1 NotHandled: ")
    assert mail.startswith("mail:order order 1,024 0 1 0 ")
    assert "no such address" in mail
    assert outbox == "~outbox side effects of entities 1,024 0 0 0 0 0"
    assert "what is parked: actorkalix consumers mail:order" in ran.err


def test_one_shows_what_is_parked(cli: Cli, billing: str) -> None:
    ran = cli("consumers", "mail:order", "--admin", billing)
    assert ran.code == 0
    assert lines(ran.out)[2] == "component entity attempts since failure"
    assert lines(ran.out)[3].startswith("order o1 ")
    assert "to try them now: actorkalix consumers retry mail:order" in ran.err
    (subject,) = cli("consumers", "mail:order", "--admin", billing, "--json").document["subjects"]
    assert (subject["entity"], subject["component"]) == ("o1", "order")
    assert subject["attempts"] > 10
    assert "nothing is parked" in cli("consumers", "bill:order", "--admin", billing).err


def test_what_is_parked_is_tried_again(cli: Cli, billing: str) -> None:
    ran = cli("consumers", "retry", "mail:order", "--entity", "o2", "--admin", billing)
    assert (ran.code, ran.out) == (1, "")
    assert "'o2' is not parked for mail:order" in ran.err
    mend()
    ran = cli("consumers", "retry", "mail:order", "--admin", billing)
    assert (ran.code, ran.out) == (0, "mail:order tries 1 parked subjects now\n")
    view = cli("consumers", "mail:order", "--admin", billing, "--json").document
    assert (view["parked"], view["handled"]) == (0, 3)
    assert Mail.seen == [("o1", 5), ("o1", 7), ("o1", 9)]
    ran = cli("consumers", "retry", "mail:order", "--admin", billing)
    assert ran.code == 0
    assert "nothing is parked for mail:order" in ran.err
    ran = cli("consumers", "retry", "mail:order", "--admin", billing, "--json")
    assert ran.document == {"consumer": "mail:order", "entity": "", "subjects": 0}


@pytest.mark.parametrize(
    "words, number, said",
    [
        (("consumers", "mail:orders"), "AK2003", "did you mean mail:order?"),
        (("consumers", "retry", "bill"), "AK2003", "there is bill:order, mail:order, ~outbox"),
        (("consumers", "retry"), "AK5003", "`actorkalix consumers` lists them"),
        (("consumers", "a", "b"), "AK5003", "`actorkalix consumers retry a`"),
        (("consumers", "--entity", "e"), "AK5003", "actorkalix consumers retry CONSUMER --entity"),
    ],
)
def test_what_cannot_be_done_is_said(
    cli: Cli, billing: str, words: tuple[str, ...], number: str, said: str
) -> None:
    ran = cli(*words, "--admin", billing, "--json")
    assert ran.error["number"] == number
    assert said in ran.error["message"]


def test_a_folder_at_rest_shows_its_cursors(cli: Cli, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    store = open_store(folder, service="shop", shards=SHARDS)
    epochs = store.open_shards(range(SHARDS), NOW_MS)
    cursor = Cursor("mail:cart", 1, 1, 0, (Parked("cart", "c1", 3, 8, 4, NOW_MS, "no address"),))
    record = Record(RecordKind.STATE, CURSORS, "5:", 1, NOW_MS, pack_cursors([cursor]))
    store.commit([Append(5, epochs[5], 0, (record,))])
    store.close()
    (view,) = cli("consumers", "--data", str(folder), "--json").document
    assert (view["consumer"], view["shards"], view["parked"]) == ("mail:cart", 1, 1)
    ran = cli("consumers", "mail:cart", "--data", str(folder))
    assert "cart c1 4 2023-11-14 22:13:20.000Z no address" in lines(ran.out)[3]
    ran = cli("consumers", "retry", "mail:cart", "--data", str(folder), "--json")
    assert ran.error["number"] == "AK5002"


def test_one_that_waits_as_a_whole_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    output = Output(as_json=False)
    output.show(
        _table([ConsumerView("a:b", waiting=3, behind=9, paused_until_ms=NOW_MS, failure="down")])
    )
    (_, line) = lines(capsys.readouterr().out)
    assert line == (
        "a:b - 0 9, 3 in memory 0 0 0 0 waits as a whole until 2023-11-14 22:13:20.000Z: down"
    )


def test_a_folder_without_consumers(cli: Cli, data: Path) -> None:
    ran = cli("consumers", "--data", str(data))
    assert (ran.code, ran.out) == (0, "")
    assert "there are no consumers" in ran.err
