"""Would new code strand workflows of a data folder? Their histories are replayed against it.

A workflow is stranded where it could not go on from where it stands: its state does not decode, the
step that it is in (or waits to enter) is not there or does not take the input that is stored, the
command that ends its pause is gone, or an undo call or a child that it keeps is for a component or
command that the service has not any more. Workflows that have ended are replayed too: their state
is still read. What only a later step would meet cannot be known.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from actorkalix.codec import codecs_for
from actorkalix.describe.descriptors import ComponentDescriptor, ServiceDescriptor
from actorkalix.engine import behavior_for
from actorkalix.engine.workflow_control import BUSY, OVER, Activity, Flow, Status, public
from actorkalix.errors import InvalidPayload, StoredDataUnreadable
from actorkalix.runtime.workflow_listing import flow_of, workflows_in
from actorkalix_cluster.shardhost.behavior import BehaviorError
from actorkalix_cluster.shardhost.messages import Encoding
from actorkalix_cluster.shardhost.outgoing import unpack_messages
from actorkalix_storage.api import Store

PAGE = 500


class Stranded(msgspec.Struct, frozen=True):
    """A workflow that could not go on.

    Attributes:
        component, workflow_id: which one.
        status, step: where it stands.
        why: a line for each reason.
    """

    component: str
    workflow_id: str
    status: str
    step: str
    why: tuple[str, ...]


class Verdict(msgspec.Struct, frozen=True):
    """What a check has found.

    Attributes:
        service: its name.
        checked: workflows, by component.
        running: of those, how many have not ended.
        stranded: those that could not go on.
    """

    service: str
    checked: dict[str, int]
    running: int
    stranded: tuple[Stranded, ...]


def checked(stores: Iterable[Store], service: ServiceDescriptor) -> Verdict:
    """Replay the workflows of these stores against the code of a service.

    Args:
        stores: all of a data folder, open.
        service: the new code.
    """
    counts: dict[str, int] = {}
    running = 0
    stranded: list[Stranded] = []
    for store in stores:
        names = set(workflows_in(service)) | _gone(store, service)
        for component in sorted(names):
            for shard, workflow_id in _subjects(store, component):
                found = _judged(store, shard, component, workflow_id, service)
                if found is None:
                    continue
                status, one = found
                counts[component] = counts.get(component, 0) + 1
                running += status not in OVER
                stranded += [] if one is None else [one]
    return Verdict(service.name, counts, running, tuple(stranded))


def _subjects(store: Store, component: str) -> Iterator[tuple[int, str]]:
    after: tuple[int, str] | None = None
    table, number = store.homes(), store.identity.number
    while found := store.subjects(component, after=after, limit=PAGE):
        after = found[-1]
        for shard, entity in found:
            if table is None or number in table.homes[shard]:
                yield shard, entity


def _gone(store: Store, service: ServiceDescriptor) -> set[str]:
    """Components of the newest records of each shard that look like workflows and are not there."""
    found: set[str] = set()
    for shard in range(store.identity.shards):
        at = store.shard(shard).position.offset
        for stored in store.records(shard, max(0, at - PAGE), limit=PAGE) if at else ():
            name = stored.record.component
            if name and not name.startswith("~") and name not in service.components:
                found.add(name)
    return {name for name in found if _is_workflow(store, name)}


def _is_workflow(store: Store, component: str) -> bool:
    for shard, entity in store.subjects(component, limit=1):
        try:
            return flow_of(store, shard, component, entity) is not None
        except StoredDataUnreadable:
            return False
    return False


def _judged(
    store: Store, shard: int, component: str, workflow_id: str, service: ServiceDescriptor
) -> tuple[Status, Stranded | None] | None:
    try:
        flow = flow_of(store, shard, component, workflow_id)
    except StoredDataUnreadable as problem:
        return Status.RUNNING, Stranded(component, workflow_id, "?", "", (str(problem),))
    if flow is None:
        return None
    code = service.components.get(component)
    if code is None or code.kind != "workflow":
        why = [] if flow.control.status in OVER else [f"the service has no workflow {component!r}"]
    else:
        why = [*_replayed(store, shard, flow, code), *_reasons(flow, code, service)]
    control = flow.control
    if not why:
        return control.status, None
    status, where = public(control.status), control.step
    return control.status, Stranded(component, workflow_id, status, where, tuple(why))


def _replayed(store: Store, shard: int, flow: Flow, code: ComponentDescriptor) -> Iterator[str]:
    history = store.load(shard, code.component_id, flow.entity)
    assert history is not None, "it was read a moment ago"
    try:
        behavior_for(code).restore(flow.entity, history)
    except BehaviorError as problem:
        yield str(problem)


def _reasons(flow: Flow, code: ComponentDescriptor, service: ServiceDescriptor) -> Iterator[str]:
    control = flow.control
    status = control.within if control.status is Status.SUSPENDED else control.status
    if status in OVER:
        return
    if status in BUSY and control.activity is Activity.STEP:
        yield from _step(code, control.step, control.arguments, "it is in")
    for step in (control.then, control.late if status is Status.WAITING else ""):
        if step and status not in BUSY:
            yield from _step(code, step, None, "it waits to enter")
    if status in BUSY and control.activity is not Activity.STEP and control.then:
        yield from _step(code, control.then, None, "it goes on with")
    if status is Status.PAUSED and control.late:
        handler = code.handlers.get(control.late)
        if handler is None or handler.kind != "command":
            yield f"the command {control.late!r}, which ends its pause, is not there any more"
    for packed in flow.kept.undo:
        yield from _call(packed, service, "an undo call")
    for child in flow.kept.children:
        if child.start:
            yield from _call(child.start, service, "the start of a child")


def _step(code: ComponentDescriptor, step: str, arguments: bytes | None, how: str) -> Iterator[str]:
    codec = codecs_for(code).steps.get(step)
    if codec is None:
        there = ", ".join(code.steps) or "none"
        yield f"the step {step!r}, which {how}, is not there any more; there is {there}"
    elif arguments is not None:
        try:
            codec.decode(arguments, Encoding.MSGPACK)
        except InvalidPayload as problem:
            yield f"the step {step!r}, which {how}, does not take its input any more: {problem}"


def _call(packed: bytes, service: ServiceDescriptor, what: str) -> Iterator[str]:
    for message in unpack_messages(packed):
        component: Any = service.components.get(message.component)
        if component is None or message.method not in component.handlers:
            yield f"{what} is for {message.component}.{message.method}, which is not there any more"
