"""`actorkalix topics`."""

from __future__ import annotations

from collections.abc import Callable

from tests.unit.actorkalix.cli.ran import Ran

Cli = Callable[..., Ran]
OPTIONS = ("--subject", "s", "--id", "i", "--type", "T")


def test_topics_are_listed(cli: Cli, admin: str, plain: None) -> None:
    ran = cli("topics", "--admin", admin)
    assert ran.code == 0
    lines = [" ".join(line.split()) for line in ran.out.splitlines()]
    assert lines == [
        "topic broker messages size partitions in use dropped kept",
        "orders kafka k:9092 1,000 4 MiB 1 of 3 7 7 d, 1 TiB",
    ]
    (found,) = cli("topics", "--admin", admin, "--json").document
    assert (found["name"], found["partitions"], found["dropped"]) == ("orders", [1_000, 0, 0], 7)


def test_a_message_is_published(cli: Cli, admin: str, plain: None) -> None:
    ran = cli("topics", "publish", "orders", '{"a":1}', *OPTIONS, "--admin", admin)
    assert (ran.code, ran.out) == (0, "published to orders, partition 1, message 1\n")
    ran = cli("topics", "publish", "orders", '{"a":1}', *OPTIONS, "--admin", admin, "--json")
    assert ran.document == {"topic": "orders", "partition": 1, "number": 2}


def test_what_is_wrong(cli: Cli, admin: str, plain: None) -> None:
    ran = cli("topics", "publish", "orders", "--admin", admin)
    assert (ran.code, "one of them is missing" in ran.err) == (2, True)
    ran = cli("topics", "publish", "orders", "{", "--admin", admin)
    assert (ran.code, "the message is no JSON" in ran.err) == (2, True)
    ran = cli("topics", "publish", "ordres", "1", "--admin", admin)
    assert "the service names no topic 'ordres'" in ran.err
    assert ran.code != 0
