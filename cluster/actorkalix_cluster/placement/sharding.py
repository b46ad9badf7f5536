"""From an id to its shard.

blake2b with a digest of 64 bits over the UTF-8 of component id and entity id, each with its
length before it (so that ("ab", "c") and ("a", "bc") part), modulo the number of shards. RFC 7693
defines blake2b.

A component of our own may be *pinned*: what it keeps is about a shard and lies there, so the ids of
its entities begin with the number of the shard (`pinned_id`). Ids of users' components begin with
a letter, so no entity of theirs is ever pinned.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b

SHARDS_DEFAULT = 1024
PINNED = "~~"  # how the id of a pinned component begins
REMEMBERED_MAX = 16_384
"""Ids whose shard is remembered, about 4 MB: looking one up takes a tenth of the hash."""


@lru_cache(maxsize=REMEMBERED_MAX)
def shard_of(component: str, entity: str, shards: int) -> int:
    """Shard of an entity, 0 to `shards` - 1."""
    if component.startswith(PINNED):
        return int(entity.partition(":")[0]) % shards
    c, e = component.encode(), entity.encode()
    key = len(c).to_bytes(4, "big") + c + len(e).to_bytes(4, "big") + e
    return int.from_bytes(blake2b(key, digest_size=8).digest(), "big") % shards


def pinned_id(shard: int, name: str = "") -> str:
    """Id of a pinned component's entity in a shard."""
    return f"{shard}:{name}"
