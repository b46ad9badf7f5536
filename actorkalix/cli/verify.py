"""`actorkalix verify`: every byte of a data folder is read and compared; the first damage is named.

Its stores are checked one after the other, each in a process of its own, for damaged pages can kill
who reads them. While a host has a store open, the check leaves the pages out and reads beside it.
Sound stores may still be too few: what the home table names and is not there is a damage too.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from actorkalix.cli.exits import Exit
from actorkalix.cli.output import Output
from actorkalix.errors import ActorkalixError, FolderUnusable, StoredDataDamaged, catalog
from actorkalix.runtime.layout import found, is_store
from actorkalix_cluster.placement.moves import decide
from actorkalix_storage.api import ForeignStore, StoreError, Unreadable
from actorkalix_storage.lmdbstore import holder, read_homes, verify
from actorkalix_storage.lmdbstore.child import DAMAGES_MAX

if TYPE_CHECKING:
    from rich.console import RenderableType

SHOWN_MAX = 20
"""Damages that a person gets to see; `--json` has all that were found."""


class StoreVerified(msgspec.Struct, frozen=True):
    """What was found in one store.

    Attributes:
        store: its number.
        folder: where it lies.
        running: a process had it open, so its pages were left out.
        ok: no damage.
        first: the first damage, in words.
        damages: the first damages, at most 100.
        records, rows, shards: how much was looked at.
        seconds: how long it took.
    """

    store: int
    folder: str
    running: bool
    ok: bool
    first: str
    damages: tuple[str, ...]
    records: int
    rows: int
    shards: int
    seconds: float


class Verified(msgspec.Struct, frozen=True):
    """What `--json` prints: of all stores what `StoreVerified` says of each.

    Attributes:
        data: the folder.
        running: a process had one of the stores open.
        ok: no damage anywhere, and no store missing.
        first: the first damage, in words.
        damages: the first damages, at most 100.
        records, rows, shards, seconds: sums.
        stores: what was found in each.
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
    stores: tuple[StoreVerified, ...]


def execute(arguments: argparse.Namespace, output: Output) -> int:
    """Check a folder; `Exit.FINDING` when it is damaged."""
    try:
        verified = _verified(Path(arguments.data), output)
    except StoreError as error:
        raise catalog().get(error.number, ActorkalixError)(str(error)) from error
    if output.as_json:
        output.document(verified)
    else:
        output.show(*_shown(verified))
    return Exit.OK if verified.ok else Exit.FINDING


def _verified(data: Path, output: Output) -> Verified:
    folders = found(data)
    if not folders:
        raise FolderUnusable(f"{data}: there is no store")
    stores = [_store_verified(number, folder, output) for number, folder in folders.items()]
    several = len(stores) > 1
    damages = [
        f"store {store.store}: {damage}" if several else damage
        for store in stores
        for damage in store.damages
    ]
    if not damages and not is_store(data):
        damages += _disagreement(folders)
    return Verified(
        str(data),
        any(store.running for store in stores),
        not damages,
        damages[0] if damages else "",
        tuple(damages[:DAMAGES_MAX]),
        sum(store.records for store in stores),
        sum(store.rows for store in stores),
        sum(store.shards for store in stores),
        round(sum(store.seconds for store in stores), 3),
        tuple(stores),
    )


def _store_verified(number: int, folder: Path, output: Output) -> StoreVerified:
    since = time.monotonic()
    held = holder(folder)
    if held is None:
        output.note(f"checking the folder {folder} at rest")
    else:
        output.note(f"checking the folder {folder} beside process {held.pid}, without its pages")
    with ExitStack() as stack:
        if not output.as_json:
            stack.enter_context(output.working(f"reading every record of store {number}"))
        findings = verify(folder, live=held is not None)
    return StoreVerified(
        number,
        str(folder),
        held is not None,
        findings.ok,
        findings.first,
        findings.damages,
        findings.records,
        findings.rows,
        findings.shards,
        round(time.monotonic() - since, 3),
    )


def _disagreement(folders: Mapping[int, Path]) -> list[str]:
    """What sound stores say that does not fit: a store that is missing, or a strange one."""
    try:
        decide({number: read_homes(folder) for number, folder in folders.items()})
    except (Unreadable, ForeignStore) as error:
        return [str(error)]
    return []


def _shown(verified: Verified) -> list[RenderableType]:
    from rich.text import Text

    in_stores = f" in {len(verified.stores)} stores" if len(verified.stores) > 1 else ""
    looked_at = (
        f"{verified.records:,} records of {verified.shards:,} shards{in_stores}, "
        f"{verified.rows:,} rows, {verified.seconds:.1f} s"
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
