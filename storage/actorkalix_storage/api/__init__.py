"""The storage's words and protocols."""

from .errors import (
    AppendRefused as AppendRefused,
    Damaged as Damaged,
    DurabilityLost as DurabilityLost,
    ForeignStore as ForeignStore,
    Outcome as Outcome,
    StoreError as StoreError,
    StoreFull as StoreFull,
    StoreInUse as StoreInUse,
    Unreadable as Unreadable,
    UnsupportedFormat as UnsupportedFormat,
)
from .positions import Position as Position
from .records import (
    Append as Append,
    Appended as Appended,
    Due as Due,
    Head as Head,
    History as History,
    Record as Record,
    RecordKind as RecordKind,
    Refused as Refused,
    RefusalKind as RefusalKind,
    ShardState as ShardState,
    Snapshot as Snapshot,
    StoredRecord as StoredRecord,
    TimerKind as TimerKind,
)
from .store import Store as Store, StoreIdentity as StoreIdentity
