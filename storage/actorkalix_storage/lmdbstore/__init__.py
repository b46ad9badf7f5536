"""The store on disk, over LMDB."""

from .child import Findings as Findings, verify as verify
from .folder import Holder as Holder, holder as holder
from .opening import open_store as open_store, read_identity as read_identity
from .store import LmdbStore as LmdbStore, Options as Options
