"""Options of `actorkalix workflows`."""

from __future__ import annotations

import argparse

from actorkalix.workflow_views import STATUSES

from .options import Command, offset, pages, source

WORDS = (
    *("list", "show", "suspend", "resume", "terminate", "restart", "resolve"),
    *("diagram", "check"),
)


def _workflows(sub: argparse.ArgumentParser) -> None:
    sub.add_argument(
        "action", metavar="|".join(WORDS), nargs="?", default="list", choices=WORDS, help="(list)"
    )
    sub.add_argument(
        "component",
        metavar="COMPONENT",
        nargs="?",
        help="id of the workflow's component; to check, the new code, as shop:service",
    )
    sub.add_argument("id", metavar="ID", nargs="?", help="of the workflow")
    sub.add_argument("promise", metavar="PROMISE", nargs="?", help="to resolve: its name")
    sub.add_argument("value", metavar="JSON", nargs="?", help="to resolve: its value (null)")
    source(sub)
    pages(sub, "workflows")
    sub.add_argument("--status", choices=STATUSES, metavar="STATUS", help="list those alone")
    sub.add_argument(
        "--after", type=offset, default=0, metavar="N", help="show what is beyond record N (0)"
    )
    sub.add_argument("--reason", default="", metavar="TEXT", help="of suspend and terminate")
    sub.add_argument(
        "--from", dest="step", default="", metavar="STEP", help="restart from it (the newest)"
    )
    sub.add_argument(
        "--anew",
        action="store_true",
        help="restart: make all of its calls anew, also of a step that was not completed",
    )
    sub.add_argument("--svg", metavar="FILE", help="draw the diagram with Graphviz")
    sub.add_argument("--against", metavar="DATA", help="check this data folder")


WORKFLOWS = Command(
    "workflows",
    "list workflows, show or control one, draw it, check new code",
    "actorkalix.cli.workflows:execute",
    _workflows,
)
