"""Workflows for operators: listing them by pages, showing one as a timeline, controlling it.

A store lists the workflows of the shards at home in it, as entities are listed; a service is all of
its stores, one after the other. Where a workflow stands is read from its records alone, without its
code, which is needed for nothing but the names in its state.

Only a running service controls: that is a message to the workflow, through its owner.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec

from actorkalix.codec import codecs_for, jsonable, peek
from actorkalix.describe.descriptors import ComponentDescriptor, ServiceDescriptor
from actorkalix.engine.workflow_control import (
    Control,
    Entry,
    Flow,
    Folded,
    Kept,
    entry_of,
    folded_of,
    public,
)
from actorkalix.engine.workflow_status import status_of
from actorkalix.errors import InvalidPayload, StoredDataUnreadable, UnknownRoute
from actorkalix.failures import error_of
from actorkalix.gateway.headers import checked_entity_id
from actorkalix.model.workflows import CONTROLS
from actorkalix.ports import Ask, HostCalls, HostMethod
from actorkalix.runtime.host_methods import answer_of, host_method
from actorkalix.runtime.inspection import StoreInspection, off_loop
from actorkalix.runtime.paging import page_of, page_of_all
from actorkalix.workflow_views import (
    STATUSES,
    Controlled,
    ControlOrder,
    Moment,
    WorkflowPage,
    WorkflowRow,
    WorkflowView,
)
from actorkalix_cluster.placement.sharding import shard_of
from actorkalix_cluster.shardhost.messages import Encoding, Message, MessageKind
from actorkalix_storage.api import HomeTable, RecordKind, Store, StoredRecord

LIST, SHOW, CONTROL = "workflows.list", "workflows.show", "workflows.control"
MOMENTS_MAX = 1_000
"""Moments of one answer: as events of one (LT-26)."""
READ_PAGE = 500


class RowsAsked(msgspec.Struct, frozen=True):
    """A page that is asked of a store; `status` is one of `STATUSES`, or "" for all."""

    component: str
    status: str
    page: str
    limit: int


class ViewAsked(msgspec.Struct, frozen=True):
    """One workflow that is asked of a store, with its moments beyond `after`."""

    component: str
    workflow_id: str
    after: int
    limit: int


# ---- a store ----------------------------------------------------------------------------------
def flow_of(store: Store, shard: int, component: str, workflow_id: str) -> Flow | None:
    """A workflow as it is stored, without the user's state in it; None where there is none.

    Raises:
        StoredDataUnreadable: a record is none of a workflow; the message names it.
    """
    history = store.load(shard, component, workflow_id)
    if history is None or not history.head.number:
        return None
    head, snapshot, number = history.head, history.snapshot, history.head.number
    try:
        folded = folded_of(snapshot.payload) if snapshot else Folded(Control(), Kept())
        control, kept, stored = folded.control, folded.kept, folded.state
        for each in history.records:
            number = each.record.number
            entry = entry_of(each.record.payload)
            control, kept = entry.control, entry.kept or kept
            stored = entry.state or stored
    except msgspec.MsgspecError as problem:
        raise StoredDataUnreadable(
            f"{component} {workflow_id!r}, record {number}: {problem}; is it a workflow?"
        ) from problem
    return Flow(
        *(workflow_id, None, head.number, head.version, head.incarnation),
        *(head.deleted_ms, head.expires_ms),
        control=control,
        kept=kept,
        stored=None if head.deleted_ms else stored,
    )


def row_of(component: str, flow: Flow, changed_ms: int) -> WorkflowRow:
    """A workflow in a list."""
    status = status_of(flow)
    return WorkflowRow(
        *(component, flow.entity, status.status, status.step, status.attempt, status.failure),
        *(status.reason, status.started_ms, changed_ms, status.next_ms, flow.number),
    )


def rows_of(store: Store, is_home: Callable[[int], bool], asked: RowsAsked) -> WorkflowPage:
    """A page of a store's workflows of one component.

    Args:
        store: open.
        is_home: whether a shard is at home there.
        asked: which.

    Raises:
        InvalidPayload: the page is none, or there is no such status.
        StoredDataUnreadable: one cannot be read; the message names it.
    """

    def view(shard: int, name: str) -> WorkflowRow | None:
        flow = flow_of(store, shard, asked.component, name)
        if flow is None:
            return None
        head = store.head(shard, asked.component, name)
        row = row_of(asked.component, flow, head.time_ms if head is not None else 0)
        return row if asked.status in ("", row.status) else None

    if asked.status not in ("", *STATUSES):
        raise InvalidPayload(f"status: {asked.status[:40]!r} is none of {', '.join(STATUSES)}")
    found = page_of(store, asked.component, is_home, asked.page, asked.limit, view)
    return WorkflowPage(*found)


def view_of(store: Store, code: ComponentDescriptor | None, asked: ViewAsked) -> WorkflowView:
    """A workflow with its timeline.

    Args:
        store: open; the home of its shard.
        code: of the component, or None: then its state is shown as it is stored.
        asked: which one.

    Raises:
        StoredDataUnreadable: it cannot be read.
    """
    component, workflow_id = asked.component, asked.workflow_id
    shard = shard_of(component, workflow_id, store.identity.shards)
    flow = flow_of(store, shard, component, workflow_id)
    head = store.head(shard, component, workflow_id)
    if flow is None or head is None:
        return WorkflowView(WorkflowRow(component, workflow_id, "not_started"))
    moments: list[Moment] = []
    for stored in _records(store, shard, component, workflow_id):
        if stored.record.kind is RecordKind.EVENT and stored.record.number > asked.after:
            moments.append(_moment(stored, code))
        if len(moments) > asked.limit:
            break
    status = status_of(flow)
    state, note = _state(flow.stored, code)
    return WorkflowView(
        row_of(component, flow, head.time_ms),
        status.deadline_ms,
        status.suspended_in,
        status.promises,
        status.undo,
        status.children,
        status.parent,
        state,
        tuple(moments[: asked.limit]),
        more=len(moments) > asked.limit,
        note=note,
    )


def _records(store: Store, shard: int, component: str, name: str) -> Iterator[StoredRecord]:
    version, life = 0, 0
    while page := store.history(shard, component, name, after=version, limit=READ_PAGE):
        for stored in page:
            life = life or stored.incarnation
            if stored.incarnation != life:
                return  # cleaned and begun anew while we read
            yield stored
        version = page[-1].version


def _moment(stored: StoredRecord, code: ComponentDescriptor | None) -> Moment:
    record = stored.record
    try:
        entry: Entry = entry_of(record.payload)
    except msgspec.MsgspecError as problem:
        where = f"{record.component} {record.entity!r}, record {record.number}"
        raise StoredDataUnreadable(f"{where}: {problem}") from problem
    control = entry.control
    return Moment(
        *(record.number, record.time_ms, entry.did.name.lower(), entry.what, entry.step),
        *(entry.attempt, entry.began_ms, entry.ended_ms, entry.failure, public(control.status)),
        *(control.step, control.held or control.reason, _state(entry.state, code)[0]),
    )


def _state(stored: bytes | None, code: ComponentDescriptor | None) -> tuple[Any, str]:
    """A state as JSON makes it, and why it is shown as it lies there."""
    if stored is None:
        return None, ""
    if code is not None:
        try:
            return jsonable(codecs_for(code).stored.decode_state(stored)), ""
        except StoredDataUnreadable as problem:
            return jsonable(peek(stored).data), str(problem)
    return jsonable(peek(stored).data), ""


def listing_methods(
    inspection: StoreInspection, service: ServiceDescriptor | None
) -> Mapping[str, HostMethod]:
    """What any store offers to `ClusterWorkflows`, by name.

    Args:
        inspection: of the store.
        service: its code, or None.
    """
    store = inspection.store

    async def rows(asked: RowsAsked) -> WorkflowPage:
        return await off_loop(lambda: rows_of(store, inspection.is_home(), asked))

    async def view(asked: ViewAsked) -> bytes:
        code = None if service is None else service.components.get(asked.component)
        return msgspec.json.encode(await off_loop(lambda: view_of(store, code, asked)))

    return {LIST: host_method(RowsAsked, rows), SHOW: host_method(ViewAsked, view)}


def control_methods(ask: Ask, service: ServiceDescriptor) -> Mapping[str, HostMethod]:
    """What a running host offers besides.

    Args:
        ask: answers messages.
        service: whose workflows.
    """

    async def control(order: bytes) -> Controlled:
        wanted = msgspec.json.decode(order, type=ControlOrder)
        code = _workflow(service, wanted.component)
        codecs = codecs_for(code)
        given: dict[str, Any] = {
            "suspend": {"reason": wanted.reason},
            "terminate": {"reason": wanted.reason},
            "restart": {"step": wanted.step, "anew": wanted.anew},
            "resolve": {"name": wanted.promise, "value": wanted.value},
        }
        arguments = codecs.arguments[wanted.action]
        message = Message(
            *(MessageKind.CONTROL, wanted.component, checked_entity_id(wanted.workflow_id)),
            *(wanted.action, arguments.encode((), given.get(wanted.action, {}), Encoding.MSGPACK)),
            *(Encoding.MSGPACK, Encoding.MSGPACK),
            correlation_id="admin",
        )
        reply = await ask.ask(message)
        if reply.failure is not None:
            raise error_of(reply.failure)
        status = codecs.replies[wanted.action].decode(reply.payload, Encoding.MSGPACK)
        return Controlled(wanted.component, wanted.workflow_id, status)

    return {CONTROL: host_method(bytes, control)}


# ---- a service --------------------------------------------------------------------------------
class ClusterWorkflows:
    """`workflow_views.Workflows` over all stores of a service.

    Args:
        calls: ways to the stores.
        homes: the home table as it is now.
        service: the service's code, or None to show what is stored without it.
        wait_s: until a store must have answered; None waits without end.
    """

    def __init__(
        self,
        calls: HostCalls,
        homes: Callable[[], HomeTable],
        service: ServiceDescriptor | None,
        wait_s: float | None,
    ) -> None:
        self._calls = calls
        self._homes = homes
        self._service = service
        self._wait_s = wait_s

    async def workflows(
        self, component: str, *, status: str = "", page: str = "", limit: int = 100
    ) -> WorkflowPage:
        """A page of the workflows of a component, store after store.

        Args:
            component: its id; "" is the only one, or all of them from the first page on, as far as
                they fit.
            status: one of `STATUSES`, or "" for all.
            page, limit: as everywhere.

        Raises:
            UnknownRoute: there is no such workflow.
            InvalidPayload: a number is out of range, the page or the status is none.
            OwnerAway: a store that may have some is away.
        """
        if component:
            self._known(component)
            return await self._of(component, status, page, limit)
        names = self._names()
        if page and len(names) != 1:
            raise InvalidPayload("page: name the component whose page it is")
        found: list[WorkflowRow] = []
        for name in names:
            part = await self._of(name, status, page, limit - len(found))
            found += part.workflows
            if part.next_page and len(names) == 1:
                return WorkflowPage(found, part.next_page)
            if len(found) >= limit:
                break
        return WorkflowPage(found, "")

    async def workflow(
        self, component: str, workflow_id: str, *, after: int = 0, limit: int = MOMENTS_MAX
    ) -> WorkflowView:
        """A workflow with its timeline, from the home of its shard.

        Raises:
            UnknownRoute, InvalidEntityId: there is no such workflow component, no such id.
            InvalidPayload: a number is out of range.
            OwnerAway: its home is away.
        """
        if not 1 <= limit <= MOMENTS_MAX:
            raise InvalidPayload(f"limit: {limit} is not in 1 to {MOMENTS_MAX}")
        self._known(component)
        home = self._home(component, workflow_id)
        asked = ViewAsked(component, workflow_id, after, limit)
        found = await answer_of(self._calls, home, SHOW, asked, bytes, self._wait_s)
        return msgspec.json.decode(found, type=WorkflowView)

    async def control(self, order: ControlOrder) -> Controlled:
        """Do something with a workflow of a running service.

        Raises:
            UnknownRoute, InvalidEntityId: there is no such workflow component, no such id.
            ActorkalixError: what the workflow answers instead.
        """
        assert order.action in CONTROLS, order.action
        self._known(order.component)
        home = self._home(order.component, order.workflow_id)
        asked = msgspec.json.encode(order)
        return await answer_of(self._calls, home, CONTROL, asked, Controlled, self._wait_s)

    async def _of(self, component: str, status: str, page: str, limit: int) -> WorkflowPage:
        async def ask(store: int, page: str, limit: int) -> tuple[list[WorkflowRow], str]:
            asked = RowsAsked(component, status, page, limit)
            part = await answer_of(self._calls, store, LIST, asked, WorkflowPage, self._wait_s)
            return part.workflows, part.next_page

        stores = self._homes().stores()
        return WorkflowPage(*await page_of_all(ask, component, stores, page, limit))

    def _home(self, component: str, workflow_id: str) -> int:
        homes = self._homes().homes
        return homes[shard_of(component, checked_entity_id(workflow_id), len(homes))][0]

    def _known(self, component: str) -> None:
        if self._service is not None:
            _workflow(self._service, component)

    def _names(self) -> list[str]:
        if self._service is None:
            raise InvalidPayload("component: name it, for the service's code is not here")
        return workflows_in(self._service)


def workflows_in(service: ServiceDescriptor) -> list[str]:
    """Component ids of a service's workflows."""
    return [name for name, one in service.components.items() if one.kind == "workflow"]


def _workflow(service: ServiceDescriptor, component: str) -> ComponentDescriptor:
    found = service.components.get(component)
    if found is None or found.kind != "workflow":
        there = ", ".join(workflows_in(service)) or "none"
        raise UnknownRoute(
            f"{component!r} is no workflow of service {service.name}; there is {there}"
        )
    return found
