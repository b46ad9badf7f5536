"""Ways to the other services on this Ray cluster: asking their controllers, by their names.

A controller's actor is called `<service>-<scratch folder>/controller-<number>` (see `supervise`),
and all of ours stand in one namespace: so who is there is in Ray's list of names. A controller that
was replaced has another number; whoever asks one that has ended looks again. Nothing is repeated
here: who asks knows best when to ask again.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable
from typing import Any

from actorkalix_cluster.rayhost.actors import actor_error, aside, ray_error
from actorkalix_cluster.rayhost.contract import value_of
from actorkalix_cluster.rayhost.launch import NAMESPACE, module

FIND_S_MAX = 5.0
ANSWER_S_MAX = 10.0

_CONTROLLER = re.compile(r"(?P<service>.+)-(?P<run>ak-[0-9a-f]+)/controller-(?P<number>\d+)")


class ServiceAway(Exception):
    """The service is not there, or does not answer; the message says which it is.

    Attributes:
        there: names of the services that are there, where that was looked at.
    """

    def __init__(self, message: str, there: Iterable[str] = ()) -> None:
        super().__init__(message)
        self.there = tuple(there)


class Others:
    """See the head of this file."""

    def __init__(self) -> None:
        self._known: dict[str, Any] = {}

    async def call(self, service: str, method: str, arguments: bytes) -> bytes:
        """Ask the controller of a service.

        Args:
            service: its name.
            method: of `Hosted.call` there.
            arguments: of the method.

        Raises:
            ServiceAway: there is none, or no answer.
            CallRefused: what it said instead.
        """
        handle = self._known.get(service)
        if handle is None:
            handle = self._known[service] = await self._find(service)
        try:
            async with asyncio.timeout(ANSWER_S_MAX):
                answer: bytes = await asyncio.wrap_future(
                    handle.call.remote(method, arguments).future()
                )
        except TimeoutError:
            self._known.pop(service, None)
            raise ServiceAway(f"{service} does not answer") from None
        except (actor_error(), ray_error()) as error:
            self._known.pop(service, None)
            raise ServiceAway(f"{service} has ended: {type(error).__name__}") from error
        return value_of(answer)

    async def _find(self, service: str) -> Any:
        try:
            async with asyncio.timeout(FIND_S_MAX):
                names = await aside(_names)
                name = controller_of(service, names)
                return await aside(lambda: module("ray").get_actor(name, namespace=NAMESPACE))
        except TimeoutError:
            raise ServiceAway("Ray does not say which services are there") from None
        except ValueError:
            raise ServiceAway(f"{service} has just ended") from None


def controller_of(service: str, names: Iterable[str]) -> str:
    """Name of the actor that is the controller of a service.

    Args:
        service: its name.
        names: of all actors of ours.

    Raises:
        ServiceAway: there is none, or more than one run of a service of this name.
    """
    runs: dict[str, dict[str, int]] = {}
    for name in names:
        found = _CONTROLLER.fullmatch(name)
        if found is not None:
            of_service = runs.setdefault(found["service"], {})
            of_service[found["run"]] = max(int(found["number"]), of_service.get(found["run"], 0))
    here = runs.get(service, {})
    if not here:
        raise ServiceAway(f"no service {service!r} runs on this Ray cluster", sorted(runs))
    if len(here) > 1:
        raise ServiceAway(f"{len(here)} services of the name {service!r} run on this Ray cluster")
    run, number = next(iter(here.items()))
    return f"{service}-{run}/controller-{number}"


def _names() -> list[str]:
    named: list[dict[str, str]] = module("ray.util").list_named_actors(all_namespaces=True)
    return [one["name"] for one in named if one["namespace"] == NAMESPACE]
