"""The feeds of a service: which records go to which view."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from actorkalix.describe.descriptors import (
    ComponentDescriptor,
    ServiceDescriptor,
    ViewDescriptor,
    described,
)
from actorkalix.engine.topic import TOPIC, partition_prefix
from actorkalix_cluster.shardhost.feeding import FeedSource
from actorkalix_storage.api import Record, RecordKind

FED = frozenset((RecordKind.EVENT, RecordKind.STATE, RecordKind.DELETED, RecordKind.CLEANED))
"""Kinds of records that views are told of: changes and ends."""


class ViewSource:
    """A `FeedSource`: all that the tables of a view are made from.

    Args:
        view: its descriptor, which has tables.
    """

    def __init__(self, view: ComponentDescriptor) -> None:
        assert view.view is not None, "the component is a view"
        self.feed = view.component_id
        found: dict[str, set[str]] = {}
        for table in view.view.tables.values():
            source = described(table.source)
            if source is None:
                found.setdefault(TOPIC, set()).add(partition_prefix(table.source.within))
            else:
                found.setdefault(source.component_id, set()).add("")
        self.components = frozenset(found)
        self.folds, self.whole = _folds(view.view)
        self._prefixes = {name: tuple(prefixes) for name, prefixes in found.items()}

    def wants(self, record: Record, /) -> bool:
        """Changes of the tables' sources, and what ends their subjects."""
        if record.component == TOPIC and not record.payload:
            return False  # the topic keeps its id, and no more of it
        return record.kind in FED and record.entity.startswith(self._prefixes[record.component])


def _folds(view: ViewDescriptor) -> tuple[Mapping[str, frozenset[str]], frozenset[str]]:
    """Tables that begin with snapshots, and components of which others need all events."""
    folds: dict[str, set[str]] = {}
    whole: set[str] = set()
    for table in view.tables.values():
        source = described(table.source)
        if table.on_snapshot is not None and source is not None:
            folds.setdefault(source.component_id, set()).add(table.name)
        elif source is not None:
            whole.add(source.component_id)
    return {name: frozenset(tables) for name, tables in folds.items()}, frozenset(whole)


class LocalTarget:
    """A `FeedTarget` in this process.

    Args:
        writers: take the batches of a view, by its id: `ViewFiles.apply` and the like.
    """

    def __init__(self, writers: Mapping[str, Callable[[bytes], bytes]]) -> None:
        self._writers = writers

    async def apply(self, feed: str, batch: bytes, /) -> bytes:
        """Take a batch.

        Durability: what the answer says is as durable as what the writer keeps.
        """
        return self._writers[feed](batch)


def sources_of(service: ServiceDescriptor) -> list[FeedSource]:
    """A source for each view of a service."""
    views = (each for each in service.components.values() if each.view is not None)
    return [ViewSource(view) for view in views]
