"""The engine: what a message does to an entity, as a pure function of instance, message and time.

And what it does to an action, whose handlers may wait (`action`).

No clock, no I/O, no randomness, no Ray. `behavior_for` makes the behavior of a component; a shard
host, a test kit or a simulator runs it.
"""

from __future__ import annotations

from typing import Any

from actorkalix.describe.descriptors import ComponentDescriptor
from actorkalix.errors import NotInThisVersion
from actorkalix.limits import Limits
from actorkalix_cluster.shardhost.behavior import Behavior

from .action import ActionCode as ActionCode
from .event_sourced import EventSourcedBehavior
from .instance import Instance as Instance
from .instance import Life as Life
from .instance import life_of as life_of
from .value import ValueBehavior
from .workflow import WorkflowBehavior


def behavior_for(descriptor: ComponentDescriptor, limits: Limits | None = None) -> Behavior[Any]:
    """The behavior of a component.

    Args:
        descriptor: an event sourced entity, a value entity or a workflow.
        limits: bounds of payloads, events and states; the defaults when not given.

    Raises:
        NotInThisVersion: the component is of a kind that this version does not run.
    """
    limits = limits or Limits()
    if descriptor.kind == "event_sourced":
        return EventSourcedBehavior(descriptor, limits)
    if descriptor.kind == "value":
        return ValueBehavior(descriptor, limits)
    if descriptor.kind == "workflow":
        return WorkflowBehavior(descriptor, limits)
    raise NotInThisVersion(
        f"{descriptor.cls.__name__}: {descriptor.kind} components come with a later version"
    )
