"""What bounds a store on disk."""

from __future__ import annotations

import msgspec

from actorkalix_storage.tables import KEYS_KEPT_MS

from .environment import MAP_BYTES, RESERVE_BYTES


class Options(msgspec.Struct, frozen=True):
    """Bounds of a store.

    Attributes:
        keys_kept_ms: how long idempotency keys are remembered, in whole hours of record time.
        checkpoint_records: records in memory at which a checkpoint begins; bounds the replay too.
        checkpoint_ms: time after which one begins anyway.
        slice_rows: steps of a background transaction; 500 take some 15 ms with a million heads.
        compact_bytes: size of the log below which nothing is reclaimed in it.
        compact_percent: how much of the log is to be stale, by estimate, before a pass begins.
        segment_frames: frames of the log that a pass looks at before it changes anything; what goes
            of them is in memory till then, 24 MB at most. With more, fewer pages are written.
        map_bytes: upper bound of the data file (address space, not memory).
        reserve_bytes: free disk space below which commits are refused.
        check: look at the log in a child process after an unclean stop.
    """

    keys_kept_ms: int = KEYS_KEPT_MS
    checkpoint_records: int = 20_000
    checkpoint_ms: int = 30_000
    slice_rows: int = 500
    compact_bytes: int = 32 * 1024**2
    compact_percent: int = 50
    segment_frames: int = 50_000
    map_bytes: int = MAP_BYTES
    reserve_bytes: int = RESERVE_BYTES
    check: bool = True
