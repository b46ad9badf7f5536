"""What a view must have: its tables folded from the log by the simplest of all means.

There are no batches, positions, files or retries here: the records of a source go through the
view's handlers one after the other, with the rows in a dictionary. So what this and a projection
have in common is how a record is read and what a row looks like when it is stored.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from actorkalix.describe.descriptors import ComponentDescriptor, TableDescriptor
from actorkalix.model.component import Context, Live
from actorkalix.views.changes import SourceReader, reader_of
from actorkalix.viewsql.storage import TableStorage
from actorkalix_cluster.shardhost.feeding import fed_of
from actorkalix_storage.api import RecordKind, StoredRecord

CHANGES = (RecordKind.EVENT, RecordKind.STATE)
ENDS = (RecordKind.DELETED, RecordKind.CLEANED)


def folded(
    component: ComponentDescriptor, records: Iterable[StoredRecord]
) -> dict[tuple[str, str], str]:
    """Rows of a view as they are stored, by table and subject.

    Args:
        component: the view's descriptor.
        records: all of the service, those of a shard in order.
    """
    assert component.view is not None, "the component is a view"
    found: dict[tuple[str, str], str] = {}
    all_ = list(records)
    for name, table in component.view.tables.items():
        storage = TableStorage(table.shape)
        for subject, row in _rows(component.cls, table, all_).items():
            found[name, subject] = str(storage.encode(subject, row)[1])
    return found


def _rows(
    view: type[Any], table: TableDescriptor, records: Iterable[StoredRecord]
) -> dict[str, Any]:
    reader: SourceReader = reader_of(table)
    rows: dict[str, Any] = {}
    ended: set[str] = set()
    for stored in records:
        record = stored.record
        is_source = record.component == reader.component
        if not is_source or not record.entity.startswith(reader.prefix):
            continue
        fed = fed_of(record, stored.position, stored.version, stored.incarnation)
        if record.kind in CHANGES:
            taken, subject = reader.read(fed), reader.subject(fed)
            ended.discard(subject)
            if taken.handler is not None:
                _run(view, taken.handler.fn, taken.context, rows, subject, taken.value)
            elif table.pass_through and taken.value is not None:
                rows[subject] = taken.value
        elif record.kind in ENDS and fed.entity not in ended:
            ended.add(fed.entity)
            if table.on_delete is None:
                rows.pop(fed.entity, None)
            else:
                context = reader.context(fed, "deleted")
                _run(view, table.on_delete.fn, context, rows, fed.entity)
    return rows


def _run(
    view: type[Any], fn: Any, context: Context, rows: dict[str, Any], subject: str, *args: Any
) -> None:
    component = view()
    component._live = Live(context=context)
    effect = fn(component, rows.get(subject), *args)
    if effect.kind == "update":
        rows[subject] = effect.row
    elif effect.kind == "delete":
        rows.pop(subject, None)
