"""A service whose entities say which process wrote what, so that owners can be told apart."""

from __future__ import annotations

import os
import signal
import threading
from dataclasses import dataclass

from actorkalix import Effect, EventSourcedEntity, Service, command, http, query


@dataclass(frozen=True)
class Added:
    token: str
    pid: int


@dataclass(frozen=True)
class Tokens:
    tokens: tuple[str, ...] = ()


class Ledger(EventSourcedEntity[Tokens, Added], id="ledger", snapshot_every=50):
    def empty_state(self) -> Tokens:
        return Tokens()

    @command
    def add(self, token: str) -> Effect[int]:
        return self.effects.persist(Added(token, os.getpid())).then_reply(
            lambda state: len(state.tokens)
        )

    @command
    def stop_and_add(self, token: str) -> Effect[int]:
        _stop()
        return self.add(token)

    @command
    def stop_and_refuse(self) -> Effect[int]:
        _stop()
        return self.effects.error(f"{len(self.state.tokens)}", code="failed_precondition")

    @query
    @http.get("/ledgers/{entity_id}")
    def tokens(self) -> Tokens:
        return self.state

    def apply_event(self, state: Tokens, event: Added) -> Tokens:
        return Tokens((*state.tokens, event.token))


def _stop() -> None:
    """Stand still here: a signal to the process would be taken by another thread, some time."""
    signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)


service = Service("ledgers", components=[Ledger])
