"""Commands that look at a service and what it has stored, and their options."""

from __future__ import annotations

import argparse

from .options import Command, count, offset, pages, source


def _entities(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("component", metavar="COMPONENT", help="component id")
    source(sub)
    pages(sub, "ids")


def _state(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("component", metavar="COMPONENT", help="component id")
    sub.add_argument("entity", metavar="ENTITY", help="entity id")
    source(sub)


def _events(sub: argparse.ArgumentParser) -> None:
    _state(sub)
    sub.add_argument("--with-state", action="store_true", help="the state after each change too")
    sub.add_argument(
        "--after", type=offset, default=0, metavar="N", help="beyond sequence number N (0)"
    )
    sub.add_argument(
        "--limit", type=count, default=100, metavar="N", help="changes at most (%(default)s)"
    )


def _timers(sub: argparse.ArgumentParser) -> None:
    sub.add_argument(
        "action", metavar="cancel", nargs="?", choices=("cancel",), help="cancel one, by its NAME"
    )
    sub.add_argument("name", metavar="NAME", nargs="?", help="name of the timer to cancel")
    source(sub)
    pages(sub, "timers")


def _consumers(sub: argparse.ArgumentParser) -> None:
    sub.add_argument(
        "consumer", metavar="CONSUMER", nargs="?", help="one of them; or `retry`, and its id"
    )
    sub.add_argument("retried", metavar="ID", nargs="?", help="of the consumer that is to retry")
    source(sub)
    sub.add_argument("--entity", default="", metavar="ID", help="retry this entity alone")
    sub.add_argument(
        "--limit", type=count, default=100, metavar="N", help="parked subjects (%(default)s)"
    )


def _dead_letters(sub: argparse.ArgumentParser) -> None:
    words = ("list", "show", "replay", "drop")
    sub.add_argument(
        "action", metavar="|".join(words), nargs="?", default="list", choices=words, help="(list)"
    )
    sub.add_argument("id", metavar="ID", nargs="?", help="of the letter; to list, of a consumer")
    source(sub)
    pages(sub, "letters")


def _topics(sub: argparse.ArgumentParser) -> None:
    publish = ("publish",)
    sub.add_argument("action", metavar="publish", nargs="?", choices=publish, help="JSON to NAME")
    sub.add_argument("name", metavar="NAME", nargs="?", help="name of the topic")
    sub.add_argument("message", metavar="JSON", nargs="?", help="what to publish")
    sub.add_argument("--subject", default="", metavar="TEXT", help="order is kept within it")
    sub.add_argument("--id", default="", metavar="TEXT", help="the topic drops one that it has")
    sub.add_argument("--type", default="", metavar="TYPE", help="as handlers' only= names it")
    source(sub)


_TIMERS = "actorkalix.cli.timers:execute"
_TOPICS = "actorkalix.cli.topics:execute"
_LOOK = "actorkalix.cli.look:execute"
_READS = "list subscriptions, how far they are, what is parked; or retry"
_DEAD = "list what consumers gave up, replay or drop it"

LOOKING = (
    Command("entities", "list the ids of a component's entities", _LOOK, _entities),
    Command("state", "print the state of an entity", _LOOK, _state),
    Command("events", "print the changes of an entity", _LOOK, _events),
    Command("timers", "list named timers, or cancel one", _TIMERS, _timers),
    Command("consumers", _READS, "actorkalix.cli.consumers:execute", _consumers),
    Command("dead-letters", _DEAD, "actorkalix.cli.dead_letters:execute", _dead_letters),
    Command("topics", "list topics, or publish to one", _TOPICS, _topics),
)
