"""What runs in a place: one actor's instances, asked by its host. See `elsewhere`.

Theory of operation. A request is answered whatever the user's code does, short of ending the
process: what it raises is logged here, where its stack is, and answered as `Raised`. After that no
instance is trusted (ES-82), and the host loads the actor again.

    nothing --Load--> instances 0 --Run--> 0, 1 --Run(landed=1)--> 1, 2 ...
       ^                  |
       '---- raised ------'

Instances from the newest durable one on are kept, and the newest one for which a snapshot is due,
until it was asked for.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from actorkalix_cluster.shardhost.behavior import Behavior, BehaviorError, BehaviorFault
from actorkalix_cluster.shardhost.elsewhere import (
    Answer,
    Load,
    Loaded,
    Raised,
    Ran,
    Refused,
    Request,
    Run,
    Shoot,
    Shot,
    packed,
    request_in,
)
from actorkalix_storage.api import Snapshot

log = logging.getLogger("actorkalix.entity")

_FAILED = "%s %r.%s"


class Resident:
    """Answers the requests of a host for one actor.

    Args:
        behaviors: actor kinds by component id.
    """

    def __init__(self, behaviors: Mapping[str, Behavior[Any]]) -> None:
        self._behaviors = behaviors
        self._behavior: Behavior[Any] | None = None
        self._who = ("", "")
        self._instances: dict[int, Any] = {}
        self._due: tuple[int, Any] = (-1, None)

    def answer(self, data: bytes) -> bytes:
        """The answer to a request; nothing but the end of the process keeps it from coming."""
        doing = "a request"
        try:
            request = request_in(data)
            doing = _name_of(request)
            return packed(self._answer(request))
        except BehaviorError as error:
            if isinstance(error, BehaviorFault):
                log.error(_FAILED, *self._who, doing, exc_info=error.__cause__ or error)
            return packed(Refused(error.reply))
        except BaseException as error:
            log.exception(_FAILED, *self._who, doing)
            self._instances.clear()
            return packed(Raised(f"{type(error).__name__}: {error}"))

    def _answer(self, request: Request) -> Answer:
        match request:
            case Load():
                return self._load(request)
            case Run():
                return self._run(request)
            case Shoot(at):
                number, instance = self._due
                if number != at or self._behavior is None:
                    return Shot(None)
                self._due = (-1, None)
                return Shot(self._snapshot(self._behavior, instance))

    def _load(self, request: Load) -> Answer:
        self._who = (request.component, request.entity)
        self._instances.clear()
        self._due = (-1, None)
        behavior = self._behavior = self._behaviors[request.component]
        if request.history is None:
            instance = behavior.empty(request.entity)
        else:
            instance = behavior.restore(request.entity, request.history)
        self._instances[0] = instance
        return Loaded(behavior.version(instance))

    def _run(self, request: Run) -> Answer:
        behavior, instances = self._behavior, self._instances
        assert behavior is not None, "a load comes first"
        for number in [each for each in instances if each < request.landed]:
            del instances[number]
        step = behavior.step(instances[request.at], request.message, request.now_ms)
        if step.records:
            after = request.at + 1
            assert after not in instances, "an instance has one future"
            instances[after] = step.instance
            if step.snapshot_due:
                self._due = (after, step.instance)
        version = behavior.version(step.instance)
        return Ran(step.records, step.reply, version, step.snapshot_due, step.forget)

    def _snapshot(self, behavior: Behavior[Any], instance: Any) -> Snapshot | None:
        try:
            return behavior.snapshot(instance)
        except Exception:
            log.exception("no snapshot of %s %r", *self._who)
            return None


def _name_of(request: Request) -> str:
    match request:
        case Load():
            return "load failed"
        case Run(message=message):
            name = message.method or message.kind.name.lower()
            return f"{name} failed, correlation id {message.correlation_id}"
        case Shoot():
            return "snapshot failed"
