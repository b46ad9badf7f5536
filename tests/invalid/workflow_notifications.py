"""WF-50: methods by which nobody could listen to a workflow."""
# expect: one and two are both @notifications; a workflow tells one type, which may be a union
# expect: one streams; write -> AsyncIterator[...]
# expect: two takes nothing; all who listen hear the same

from collections.abc import AsyncIterator

from actorkalix import Effect, Workflow, command, notifications


class Transfer(Workflow[int], id="transfer"):
    @notifications  # here
    def one(self) -> int:
        raise NotImplementedError

    @notifications  # here
    def two(self, since: int) -> AsyncIterator[int]:
        raise NotImplementedError

    @command
    def start(self) -> Effect[None]:
        return self.effects.end().then_reply(None)
