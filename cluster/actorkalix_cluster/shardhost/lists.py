"""Which entries of several lanes go into one list for a subscriber that takes lists. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from actorkalix_cluster.shardhost.progress import Entry, Lane


def list_of(
    lanes: Iterable[Lane], entries_max: int, bytes_max: int
) -> tuple[list[Entry], list[tuple[Lane, int]]]:
    """Entries from the beginnings of lanes, in their order.

    Args:
        lanes: whose first entry is to go, each.
        entries_max: of the list, 1 and up.
        bytes_max: of payloads; the list ends with the entry that goes beyond, so the first one goes
            however large it is.

    Returns:
        The entries, and how many of them are of each lane, 0 where there was no room.
    """
    entries: list[Entry] = []
    counts: list[tuple[Lane, int]] = []
    for lane in lanes:
        before = len(entries)
        for entry in islice(lane.entries, entries_max - before):
            if bytes_max <= 0:
                break
            bytes_max -= len(entry.record.payload)
            entries.append(entry)
        counts.append((lane, len(entries) - before))
    return entries, counts
