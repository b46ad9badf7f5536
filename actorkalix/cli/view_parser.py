"""Commands about views and SQL, and their options."""

from __future__ import annotations

import argparse

from .options import Command, between, count, source

ACTIONS = ("list", "explain", "parked", "rebuild", "drop", "export")


def _views(sub: argparse.ArgumentParser) -> None:
    sub.add_argument(
        "action", metavar="|".join(ACTIONS), nargs="?", default="list", choices=ACTIONS,
        help="(list)",
    )  # fmt: skip
    sub.add_argument("view", metavar="VIEW", nargs="?", help="id of the view")
    sub.add_argument("--table", metavar="NAME", help="to export, where the view has several")
    sub.add_argument("--parquet", metavar="FILE", help="to export: the file to write")
    sub.add_argument(
        "--limit", type=count, default=100, metavar="N", help="parked subjects (%(default)s)"
    )
    source(sub)


def _sql(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("sql", metavar="SELECT", nargs="?", help="the statement")
    sub.add_argument("--tables", action="store_true", help="list the tables that there are")
    sub.add_argument("--csv", action="store_true", help="print CSV")
    sub.add_argument(
        "--limit", type=_rows, default=1000, metavar="N", help="rows at most (%(default)s)"
    )
    source(sub)


def _rows(text: str) -> int:
    return between(text, 1, 100_000, "a number")


VIEWING = (
    Command(
        "views",
        "list views, explain, rebuild, drop or export one",
        "actorkalix.cli.views:execute",
        _views,
    ),
    Command(
        "sql",
        "ask views and live states in SQL, read-only",
        "actorkalix.cli.sql:execute",
        _sql,
    ),
)
