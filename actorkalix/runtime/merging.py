"""What the stores of a service say of themselves, put together into one status of the whole."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from actorkalix.describe.descriptors import ServiceDescriptor
from actorkalix.ports import FleetView, ServiceStatus, ShardView, StoreView
from actorkalix.process_listing import ProcessView
from actorkalix.runtime.inspection import kinds_of, lineage_text
from actorkalix_storage.api import HomeTable, StoreIdentity


def merged(
    answers: Mapping[int, ServiceStatus | str],
    table: HomeTable,
    service: ServiceDescriptor | None,
    fleet: FleetView | None,
    identity: StoreIdentity | None,
) -> ServiceStatus:
    """One status of a whole service.

    Args:
        answers: by number of the store, its status or why there is none.
        table: homes of all shards; what a store says of others is left out.
        service: its code, or None.
        fleet: its processes, None at rest.
        identity: of any of its stores, for when none of them answers.
    """
    stores: list[StoreView] = []
    opened: list[ShardView] = []
    damaged: dict[int, str] = {}
    beside: list[ProcessView] = []
    named = ("" if service is None else service.name, "", "")
    if identity is not None:
        named = (identity.service, identity.cluster, lineage_text(identity))
    for store, answer in sorted(answers.items()):
        if isinstance(answer, str):
            stores.append(StoreView(store, away=answer))
            continue
        named = (answer.service, answer.cluster, answer.lineage)
        own = [shard for shard in answer.opened if table.homes[shard.shard][0] == store]
        records = sum(shard.offset for shard in own)
        stores += [msgspec.structs.replace(view, records=records) for view in answer.stores]
        opened += own
        beside += answer.processes
        damaged |= {s: what for s, what in answer.damaged.items() if table.homes[s][0] == store}
    name, cluster, lineage = named
    processes = fleet or FleetView()
    return ServiceStatus(
        service=name,
        cluster=cluster,
        lineage=lineage,
        homes_version=table.version,
        shards=len(table.homes),
        components=kinds_of(service),
        controller_pid=processes.controller_pid,
        standby_pid=processes.standby_pid,
        hosts=list(processes.hosts),
        stores=stores,
        opened=sorted(opened, key=lambda view: view.shard),
        records=sum(view.offset for view in opened),
        damaged=dict(sorted(damaged.items())),
        processes=tuple(sorted(beside, key=lambda one: (one.kind, one.component, one.entity))),
    )
