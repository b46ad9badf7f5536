"""A service: named components that run together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from actorkalix.brokers import OTHERS, Broker, Embedded, Kafka, Nats
from actorkalix.errors import DefinitionError, NotInThisVersion
from actorkalix.limits import Limits
from actorkalix.model.component import Component, Hook
from actorkalix.model.names import topic_problem

if TYPE_CHECKING:
    from actorkalix.describe.descriptors import ServiceDescriptor


class Acl:
    """Who may call a service. `allow_all` is the only rule of this version."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return self._name


allow_all = Acl("allow_all")
"""Everybody may call everything; wanted in writing before a service listens beyond loopback."""


class Service:
    """Named components that run together.

    Args:
        name: letters, digits and `._-`, at most 64; the data folder is named after it.
        components: classes.
        acl: who may call; without one the service listens on loopback only.
        jwt: how bearer tokens are checked (a later version).
        on_startup: called with a client each time the service starts to serve, plain or a
            coroutine. It may be called again while the service runs, when the host that called it
            was replaced; what it raises is logged, and it is not called again for it.
        resources: called once in every process that runs actions, before the first of them; what it
            makes is `self.resources` there. A coroutine function runs on the event loop of its
            host, a plain function in a thread. When the process ends its `aclose()` or `close()` is
            called, if it has one.
        limits: bounds of the service.
        brokers: where topics live, by their names or "*": `Embedded`, `Kafka` or `Nats` of
            `actorkalix.brokers`; a topic that is not named is within.

    Attributes:
        descriptor: what the machinery knows of it.

    Raises:
        DefinitionError: the name, or a component; all problems at once.
        NotInThisVersion: an option or a kind of component comes with a later version.
    """

    descriptor: ServiceDescriptor

    def __init__(
        self,
        name: str,
        /,
        *,
        components: Sequence[type[Component]],
        acl: Acl | None = None,
        jwt: object = None,
        on_startup: Callable[..., Any] | None = None,
        resources: Callable[[], Any] | None = None,
        limits: Limits | None = None,
        brokers: Mapping[str, Broker] | None = None,
    ) -> None:
        self.name = name
        self.components = tuple(components)
        self.acl = acl
        self.limits = limits or Limits()
        self.on_startup = on_startup
        self.resources = resources
        self.brokers: Mapping[str, Broker] = brokers if brokers is not None else {}
        called = {"on_startup": on_startup, "resources": resources}
        _check_options(name, acl, limits, called)
        _check_brokers(name, self.brokers)
        if jwt is not None:
            raise NotInThisVersion(
                f"Service({name!r}): jwt= comes with a later version; leave it out"
            )
        on_service(self)

    def __repr__(self) -> str:
        return (
            f"Service({self.name!r}, components=[{', '.join(c.__name__ for c in self.components)}])"
        )


def _check_options(name: str, acl: object, limits: object, called: Mapping[str, object]) -> None:
    problems: list[str] = []
    if acl is not None and not isinstance(acl, Acl):
        problems.append(f"Service({name!r}): acl= takes allow_all, got {acl!r}")
    if limits is not None and not isinstance(limits, Limits):
        problems.append(f"Service({name!r}): limits= takes Limits(...), got {limits!r}")
    for option, value in called.items():
        if value is not None and not callable(value):
            problems.append(f"Service({name!r}): {option}= takes a function, got {value!r}")
    if problems:
        raise DefinitionError("\n".join(problems), tuple(problems))


def _check_brokers(name: str, brokers: Any) -> None:
    where = f"Service({name!r}): brokers="
    given: Mapping[Any, Any] | None = brokers if hasattr(brokers, "items") else None
    if given is None:
        raise DefinitionError(f"{where} takes a mapping from topics to brokers, got {brokers!r}")
    problems: list[str] = []
    for topic, broker in given.items():
        problem = "" if topic == OTHERS else topic_problem(topic)
        if problem:
            problems.append(f"{where} has a topic {topic!r} whose name {problem}")
        if not isinstance(broker, (Embedded, Kafka, Nats)):
            problems.append(
                f"{where} has {broker!r} for {topic!r}; it is Embedded(), Kafka(...) or Nats(...)"
            )
    if problems:
        raise DefinitionError("\n".join(problems), tuple(problems))


on_service: Hook[[Service], object] = Hook()
"""Called with each service when it is made; sets its descriptor."""
