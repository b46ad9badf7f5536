"""Positions: where a record stands, so that two histories can never be taken for one another."""

from __future__ import annotations

import msgspec


class Position(msgspec.Struct, frozen=True, order=True):
    """The place of a record in the log of its shard.

    Attributes:
        lineage: 64 random bits, new with every data directory, restore and adopt.
        epoch: which ownership of the shard wrote the record; 1 and up, raised at every opening.
        offset: number of the record in its shard, 1 and up, without gaps; 0 is before the first.
    """

    lineage: int
    epoch: int
    offset: int
