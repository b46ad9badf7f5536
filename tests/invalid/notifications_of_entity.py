"""WF-50: only workflows tell those who listen."""
# expect: told has @notifications; handlers of value entities have @command or @query

from collections.abc import AsyncIterator

from actorkalix import ValueEntity, command, notifications


class Note(ValueEntity[int], id="note"):
    def empty_state(self) -> int:
        return 0

    @notifications  # here
    def told(self) -> AsyncIterator[int]:
        raise NotImplementedError
