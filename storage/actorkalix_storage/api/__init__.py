"""The storage's words and protocols."""

from .ahead import AHEAD_BYTES, Ahead
from .errors import (
    AppendRefused,
    Damaged,
    DurabilityLost,
    ForeignStore,
    Outcome,
    StoreError,
    StoreFull,
    StoreInUse,
    Unreadable,
    UnsupportedFormat,
)
from .homes import HomeTable
from .loads import Load
from .positions import Position
from .records import (
    Append,
    Appended,
    Due,
    Head,
    History,
    Record,
    RecordKind,
    RefusalKind,
    Refused,
    ShardPage,
    ShardState,
    Snapshot,
    StoredRecord,
    TimerKind,
    trim_of,
    trim_payload,
)
from .store import (
    Store,
    StoreIdentity,
)

__all__ = [
    "AHEAD_BYTES",
    "Ahead",
    "Append",
    "AppendRefused",
    "Appended",
    "Damaged",
    "Due",
    "DurabilityLost",
    "ForeignStore",
    "Head",
    "History",
    "HomeTable",
    "Load",
    "Outcome",
    "Position",
    "Record",
    "RecordKind",
    "RefusalKind",
    "Refused",
    "ShardPage",
    "ShardState",
    "Snapshot",
    "Store",
    "StoreError",
    "StoreFull",
    "StoreIdentity",
    "StoreInUse",
    "StoredRecord",
    "TimerKind",
    "Unreadable",
    "UnsupportedFormat",
    "trim_of",
    "trim_payload",
]
