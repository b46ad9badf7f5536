"""Names that stay: component ids and class options."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from actorkalix.describe.descriptors import ComponentKind, Place
from actorkalix.describe.needs import hosting_problems
from actorkalix.describe.problems import Problems

COMPONENT_ID_BYTES_MAX = 64
"""As in the table of limits; ids stand in every stored record."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")

OPTIONS: dict[ComponentKind, tuple[str, ...]] = {
    "event_sourced": ("id", "snapshot_every", "hosting", "abstract"),
    "value": ("id", "hosting", "abstract"),
    "replicated": ("id", "write_consistency", "abstract"),
    "action": (
        *("id", "runs", "timeout", "num_cpus", "num_gpus", "memory", "runtime_env"),
        *("max_retries", "abstract"),
    ),
    "view": ("id", "version", "abstract"),
    "workflow": (
        *("id", "timeout", "on_timeout", "step_timeout", "recover", "expire_after"),
        *("snapshot_every", "abstract"),
    ),
}


INHERITED: dict[ComponentKind, tuple[str, ...]] = {
    "workflow": (
        *("timeout", "on_timeout", "step_timeout", "recover", "expire_after"),
        "snapshot_every",
    ),
}
"""Options that a subclass has from its bases unless it gives them itself: steps that stand in a
base keep the timeout and the recovery that were written beside them."""

_OPTIONS = "__actorkalix_options__"


def keep_options(cls: type[Any], options: Mapping[str, Any]) -> None:
    """Keep what a class statement gives for the classes below it."""
    setattr(cls, _OPTIONS, dict(options))


def with_inherited(
    cls: type[Any], kind: ComponentKind, options: Mapping[str, Any]
) -> Mapping[str, Any]:
    """The options of a class, with those of its bases that go down to it."""
    names = INHERITED.get(kind, ())
    found: dict[str, Any] = {}
    for base in reversed(cls.__mro__[1:]):
        given: Mapping[str, Any] = vars(base).get(_OPTIONS, {})
        found.update({name: given[name] for name in names if name in given})
    return {**found, **options}


def check_id(cls: type[Any], options: Mapping[str, Any], place: Place, problems: Problems) -> str:
    """The component's id; a problem when it is missing or cannot be one (ES-01)."""
    slug = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", cls.__name__).lower()
    if "id" not in options:
        problems.add(
            place,
            f'needs an id: class {cls.__name__}(..., id="{slug}"), '
            "or abstract=True for a base class",
        )
        return slug
    name = options["id"]
    if not isinstance(name, str):
        problems.add(place, f'the id is a text: write id="{slug}", got {name!r}')
    elif not name.strip():
        problems.add(place, f'the id is blank: write id="{slug}"')
    elif bad := sorted({char for char in name if char in "|/"}):
        problems.add(place, f"the id {name!r} has {bad[0]!r} in it; use letters, digits and dashes")
    elif name.startswith("~"):
        problems.add(place, f"the id {name!r} begins with '~', as those of actorkalix itself do")
    elif _CONTROL.search(name):
        problems.add(
            place, f"the id {name!r} has control characters; use letters, digits and dashes"
        )
    elif name != name.strip() or name in (".", ".."):
        problems.add(
            place, f"the id {name!r} cannot stand in a URL; use letters, digits and dashes"
        )
    elif (size := len(name.encode("utf-8", "surrogatepass"))) > COMPONENT_ID_BYTES_MAX:
        problems.add(
            place, f"the id has {size} bytes, at most {COMPONENT_ID_BYTES_MAX} are allowed"
        )
    return str(name)


def check_options(
    kind: ComponentKind, options: Mapping[str, Any], place: Place, problems: Problems
) -> None:
    """Options that the kind has not, and values that an option cannot have."""
    known = OPTIONS[kind]
    for name in options:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f"; did you mean {near[0]}=?" if near else f"; known are {', '.join(known)}"
            problems.add(place, f"unknown class option {name}={hint}")
    every = options.get("snapshot_every", 100)
    if "snapshot_every" in known and (type(every) is not int or every < 0):
        problems.add(place, f"snapshot_every is a number of events, 0 for never, got {every!r}")
    level = options.get("write_consistency", "local")
    if "write_consistency" in known and level not in ("local", "majority", "all"):
        problems.add(place, f'write_consistency is "local", "majority" or "all", got {level!r}')
    if "hosting" in known:
        for problem in hosting_problems(options.get("hosting", "sharded")):
            problems.add(place, problem)
    runs = options.get("runs", "task")
    if "runs" in known and runs not in ("task", "inline"):
        problems.add(place, f'runs is "task" or "inline", got {runs!r}')
    version = options.get("version", 1)
    if "version" in known and (type(version) is not int or version < 1):
        problems.add(place, f"version is a number from 1, got {version!r}")
    for name in ("timeout", "step_timeout", "expire_after"):
        value = options.get(name)
        if name not in known or value is None:
            continue
        if not (isinstance(value, timedelta) and value > timedelta(0)):
            problems.add(place, f"{name} is a timedelta above 0, got {value!r}")
