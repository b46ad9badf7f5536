"""A view in memory, for tests: as a file of `files`, but nothing of it outlives the process."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from itertools import count

from actorkalix.describe.descriptors import ComponentDescriptor
from actorkalix_cluster.shardhost.feeding import pack_answer, unpack_batch

from .files import Served, connect_writer
from .projection import Projection

_NUMBERS = count(1)


class MemoryView:
    """One view, written and read in this process.

    Args:
        component: its descriptor.
        generation: what it calls itself.
        on_applied: is called when rows may have changed.

    Attributes:
        uri: for `sqlite3.connect(..., uri=True)`, as long as this is not closed.
        projection: that writes it.
    """

    def __init__(
        self,
        component: ComponentDescriptor,
        *,
        generation: str = "memory",
        on_applied: Callable[[], object] | None = None,
    ) -> None:
        assert component.view is not None, "the component is a view"
        self.uri = f"file:actorkalix-view-{next(_NUMBERS)}?mode=memory&cache=shared"
        self._component, self._view = component, component.view
        self._generation = generation
        self._on_applied = on_applied
        # What is in memory lives as long as somebody has it open.
        self._keeper = sqlite3.connect(self.uri, uri=True, check_same_thread=False)
        self.projection = self._open()

    def _open(self) -> Projection:
        connection = connect_writer(self.uri)
        projection = Projection(
            connection, self._component, self._view, generation=self._generation
        )
        projection.on_applied = self._on_applied
        return projection

    def apply(self, batch: bytes) -> bytes:
        """Take a batch; see `Projection.apply`."""
        return pack_answer(self.projection.apply(unpack_batch(batch)))

    @property
    def served(self) -> Served:
        """What queries are asked of."""
        return Served(self.uri, whole=self.projection.ready, current=True)

    def restart(self) -> None:
        """As if the process had ended: what was committed is there, and nothing else."""
        self.projection.close()
        self.projection = self._open()

    def close(self) -> None:
        """Let go of it."""
        self.projection.close()
        self._keeper.close()
