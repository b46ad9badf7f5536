"""Who keeps what a service has once, and where: the highest of hashes, one a candidate. Pure.

Rendezvous hashing (Thaler and Ravishankar, 1998): when a candidate comes or goes, only what it gets
or had moves.
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


def node_of(name: str, nodes: Iterable[str]) -> str | None:
    """The node where it lives; None when there is none.

    Args:
        name: of what lives there.
        nodes: names of nodes that may be chosen; a name outlives a restart of its node.
    """
    return max(nodes, key=lambda node: (_weight(name, node), node), default=None)


def _weight(name: str, candidate: int | str) -> bytes:
    return blake2b(f"{candidate}/{name}".encode(), digest_size=8).digest()
