"""`actorkalix verify`: every byte of a data folder is read and compared; the first damage is named.

The check runs in a process of its own, for damaged pages can kill who reads them. While a service
has the folder open, the check leaves the pages out and reads beside it.
"""

from __future__ import annotations

import argparse
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from actorkalix.cli.exits import Exit
from actorkalix.cli.output import Output
from actorkalix.errors import ActorkalixError, StoredDataDamaged, catalog
from actorkalix_storage.api import StoreError
from actorkalix_storage.lmdbstore import Findings, Holder, holder, verify

if TYPE_CHECKING:
    from rich.console import RenderableType

SHOWN_MAX = 20
"""Damages that a person gets to see; `--json` has all that were found."""


class Verified(msgspec.Struct, frozen=True):
    """What `--json` prints.

    Attributes:
        data: the folder.
        running: a process had it open, so its pages were left out.
        ok: no damage.
        first: the first damage, in words.
        damages: the first damages, at most 100.
        records, rows, shards: how much was looked at.
        seconds: how long it took.
    """

    data: str
    running: bool
    ok: bool
    first: str
    damages: tuple[str, ...]
    records: int
    rows: int
    shards: int
    seconds: float


def execute(arguments: argparse.Namespace, output: Output) -> int:
    """Check a folder; `Exit.FINDING` when it is damaged."""
    folder = Path(arguments.data)
    try:
        held = holder(folder)
        verified = _verified(folder, held, output)
    except StoreError as error:
        raise catalog().get(error.number, ActorkalixError)(str(error)) from error
    if output.as_json:
        output.document(verified)
    else:
        output.show(*_shown(verified))
    return Exit.OK if verified.ok else Exit.FINDING


def _verified(folder: Path, held: Holder | None, output: Output) -> Verified:
    since = time.monotonic()
    if held is None:
        output.note(f"checking the folder {folder} at rest")
    else:
        output.note(f"checking the folder {folder} beside process {held.pid}, without its pages")
    with ExitStack() as stack:
        if not output.as_json:
            stack.enter_context(output.working("reading every record"))
        found: Findings = verify(folder, live=held is not None)
    return Verified(
        str(folder),
        held is not None,
        found.ok,
        found.first,
        found.damages,
        found.records,
        found.rows,
        found.shards,
        round(time.monotonic() - since, 3),
    )


def _shown(verified: Verified) -> list[RenderableType]:
    from rich.text import Text

    looked_at = (
        f"{verified.records:,} records of {verified.shards:,} shards, {verified.rows:,} rows, "
        f"{verified.seconds:.1f} s"
    )
    if verified.ok:
        return [Text.assemble(("no damage", "bold green"), f" in {looked_at}")]
    lines: list[RenderableType] = [
        Text.assemble((f"{StoredDataDamaged.number} damaged", "bold red"), f": {verified.first}")
    ]
    more = verified.damages[1:]
    lines += [f"  also: {damage}" for damage in more[: SHOWN_MAX - 1]]
    if len(more) >= SHOWN_MAX:
        lines.append("  and more (--json has the first 100)")
    return [*lines, f"{looked_at}; actorkalix explain {StoredDataDamaged.number}"]
