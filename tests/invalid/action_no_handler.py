"""An action that does nothing."""
# expect: has no handler; mark one with @handler, @http.post(...) or @subscribe

from actorkalix import Action


class Idle(Action, id="idle"):  # here
    async def run(self) -> None: ...
