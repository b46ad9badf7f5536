"""RT-62: a migration from the present version."""
# expect: @migrate(Added, from_version=2), but Added is version 2

from dataclasses import dataclass
from typing import Any

from actorkalix import EventSourcedEntity, migrate, query, type_name


@type_name("added", version=2)
@dataclass(frozen=True)
class Added:
    n: int


@migrate(Added, from_version=2)  # here
def renamed(old: dict[str, Any]) -> dict[str, Any]:
    return old


class Count(EventSourcedEntity[int, Added], id="count"):
    def empty_state(self) -> int:
        return 0

    def apply_event(self, state: int, event: Added) -> int:
        return state

    @query
    def get(self) -> int:
        return self.state
