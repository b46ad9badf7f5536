"""Where things live. Pure functions: the same everywhere, whoever asks."""

from .sharding import SHARDS_DEFAULT as SHARDS_DEFAULT
from .sharding import shard_of as shard_of
