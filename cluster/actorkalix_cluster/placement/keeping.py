"""Which store's host keeps what a service has once: the highest of hashes, one a store. Pure.

Rendezvous hashing (Thaler and Ravishankar, 1998): when a store comes or goes, only what it gets or
had moves.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b


def keeper_of(name: str, stores: Iterable[int]) -> int | None:
    """The store whose host keeps it; None when there is none.

    Args:
        name: of what is kept.
        stores: whose hosts are there.
    """
    return max(stores, key=lambda store: (_weight(name, store), store), default=None)


def _weight(name: str, store: int) -> bytes:
    return blake2b(f"{store}/{name}".encode(), digest_size=8).digest()
