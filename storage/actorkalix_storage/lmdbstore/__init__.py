"""The store on disk, over LMDB."""

from .child import (
    Findings,
    verify,
)
from .folder import (
    Holder,
    holder,
)
from .opening import (
    open_store,
    read_homes,
    read_identity,
)
from .options import (
    Options,
)
from .store import (
    LmdbStore,
)

__all__ = [
    "Findings",
    "Holder",
    "LmdbStore",
    "Options",
    "holder",
    "open_store",
    "read_homes",
    "read_identity",
    "verify",
]
