"""Streams between services: what a service offers to others, and what it takes from them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from typing import Any

from actorkalix.describe.descriptors import ComponentDescriptor, ServiceDescriptor
from actorkalix.describe.marked import Marked, is_stream, marked_methods
from actorkalix.describe.problems import Problems
from actorkalix.model.names import stream_problem
from actorkalix.model.sources import Source, SourceMark


def offered(components: Sequence[ComponentDescriptor]) -> dict[str, Source[Any]]:
    """The streams that the actions among these components offer, by name."""
    return {one.mark.source.name: one.mark.source for one in _offers(components)}


def offers_of(service: ServiceDescriptor) -> dict[str, Source[Any]]:
    """The streams that a service offers, by name."""
    return offered(list(service.components.values()))


def streams_taken(service: ServiceDescriptor) -> tuple[Source[Any], ...]:
    """Streams of other services that a service takes, each once, as long as one of them says."""
    found: dict[str, Source[Any]] = {}
    for component in service.components.values():
        for source in sources_of(component):
            if not is_stream(source):
                continue
            other = found.setdefault(source.within, source)
            if other.kept is not None and (source.kept is None or source.kept > other.kept):
                found[source.within] = source
    return tuple(found[name] for name in sorted(found))


def sources_of(component: ComponentDescriptor) -> list[Any]:
    """What a component takes changes or messages from."""
    found: list[Any] = [one.source for one in component.subscriptions]
    if component.view is not None:
        found += [table.source for table in component.view.tables.values()]
    return found


def may_read(offer: Source[Any], service: str) -> bool:
    """Whether a stream is offered to a service."""
    return any(fnmatchcase(service, pattern) for pattern in offer.allow)


# ---- what can be wrong -------------------------------------------------------------------------
def offer_problem(target: Source[Any]) -> str:
    """What is wrong with a stream that a method publishes to, or ""."""
    if target.service:
        return (
            f"publishes to a stream of {target.service!r}, which that service alone does; "
            'its own is public_stream("name", allow=...)'
        )
    problem = stream_problem(target.name)
    if problem:
        return f"publishes to a stream whose name {problem}"
    if not target.allow or not all(_is_pattern(one) for one in target.allow):
        return (
            f"offers a stream with allow={target.allow!r}; name the services that may read it, "
            '"*" for all'
        )
    return _kept_problem(target)


def taking_problem(mark: SourceMark) -> str:
    """What is wrong with a stream that a method takes messages from, or ""."""
    source: Source[Any] = mark.source
    if not source.service:
        return (
            f"takes messages of public_stream({source.name!r}), which is for other services; "
            "follow what it is made of"
        )
    problem = stream_problem(source.name) or stream_problem(source.service)
    if problem:
        return f"takes messages of a stream whose name, or its service's, {problem}"
    if mark.start_from == "now":
        return (
            'begins a stream at "now", which passes while the other service is away; '
            "give start_from= a datetime"
        )
    return _kept_problem(source)


def check_streams(
    service: str, descriptors: Sequence[ComponentDescriptor], problems: Problems
) -> None:
    """What can only be wrong between the components of a service."""
    seen: dict[str, Marked] = {}
    for one in _offers(descriptors):
        other = seen.setdefault(one.mark.source.name, one)
        ours, theirs = one.mark.source, other.mark.source
        if (ours.allow, ours.kept) != (theirs.allow, theirs.kept):
            said = f"{one.name} offers the stream {ours.name!r}, as {other.name} does"
            problems.add(one.place, f"{said}, with another allow= or kept=; say the same")
    for descriptor in descriptors:
        for source in sources_of(descriptor):
            if is_stream(source) and source.service == service:
                said = f"{descriptor.cls.__name__} takes the stream {source.name!r} of this service"
                problems.add(descriptor.place, f"{said}; follow what it is made of")


def _offers(components: Sequence[ComponentDescriptor]) -> Iterator[Marked]:
    for component in components:
        if component.kind == "action":
            for one in marked_methods(component.cls):
                if one.mark.kind == "publish" and is_stream(one.mark.source):
                    yield one


def _is_pattern(one: object) -> bool:
    return isinstance(one, str) and bool(one.strip())


def _kept_problem(source: Source[Any]) -> str:
    kept = source.kept
    if kept is None or kept.total_seconds() > 0:
        return ""
    return f"keeps messages of a stream for {kept!r}; it is a positive time"
