"""The home table: which store has a shard's records. Kept, the same, in every store of a service.

It is changed by a finished move or an adopt, never by what happens to be alive. Stores may disagree
after a crash, for one is written after the other: the highest version counts, and whoever has all
stores open writes it to the rest.
"""

from __future__ import annotations

import msgspec


class HomeTable(msgspec.Struct, frozen=True):
    """Homes of all shards.

    Attributes:
        version: 1 and up; every change of the table raises it by one.
        homes: for each shard the numbers of the stores that have its records; one number today.
    """

    version: int
    homes: tuple[tuple[int, ...], ...]

    def stores(self) -> tuple[int, ...]:
        """Numbers of all stores that are some shard's home, ascending."""
        return tuple(sorted({number for home in self.homes for number in home}))

    def of_store(self, number: int) -> tuple[int, ...]:
        """The shards whose home is this store, ascending."""
        return tuple(shard for shard, home in enumerate(self.homes) if number in home)
