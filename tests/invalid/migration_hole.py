"""RT-62: a version from which nothing leads on."""
# expect: Added is version 3 and has no @migrate(Added, from_version=2); write it above this class

from dataclasses import dataclass
from typing import Any

from actorkalix import EventSourcedEntity, migrate, query, type_name


@type_name("added", version=3)
@dataclass(frozen=True)
class Added:
    n: int


@migrate(Added, from_version=1)
def renamed(old: dict[str, Any]) -> dict[str, Any]:
    return {"n": old["number"]}


class Count(EventSourcedEntity[int, Added], id="count"):  # here
    def empty_state(self) -> int:
        return 0

    def apply_event(self, state: int, event: Added) -> int:
        return state

    @query
    def get(self) -> int:
        return self.state
