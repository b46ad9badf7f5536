"""How it goes with a broker: told in the log where it changes, and shown to operators.

A broker that is away is no failure of the service: what is published waits in the queues, what
comes is there when it is back. So it is told when it goes, once a minute while it is away, and when
it is back.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from actorkalix.consumer_views import ConsumerView

log = logging.getLogger("actorkalix.brokers")

TOLD_EVERY_MS = 60_000


class BrokerState:
    """One topic of a broker, in one direction. Set from any thread: fields are single words.

    Args:
        consumer: by which operators know it.
        source: which topic, of which broker.
        now_ms: the clock.

    Attributes:
        handled: messages that were taken or sent.
        behind: messages of the broker that are not taken yet, as far as it is known.
        parts: of the broker's topic that are read here.
    """

    def __init__(self, consumer: str, source: str, now_ms: Callable[[], int]) -> None:
        self.consumer = consumer
        self.source = source
        self.handled = 0
        self.behind = 0
        self.parts = 0
        self._now_ms = now_ms
        self._gaps = 0
        self._gap = ""
        self._failures = 0
        self._failure = ""
        self._failed_ms = 0
        self._since_ms = 0  # it is away since then; 0 while it is not
        self._told_ms = 0

    @property
    def away(self) -> bool:
        """It failed, and nothing went well since."""
        return self._since_ms > 0

    def failed(self, why: str) -> None:
        """It did not work; it is tried again."""
        now_ms = self._now_ms()
        self._failures += 1
        self._failure, self._failed_ms = why[:500], now_ms
        if not self._since_ms or now_ms - self._told_ms >= TOLD_EVERY_MS:
            away_s = (now_ms - self._since_ms) // 1_000 if self._since_ms else 0
            since = f", for {away_s} s now" if away_s else ""
            log.warning("%s: %s%s; it is tried again", self.source, why, since)
            self._told_ms = now_ms
        self._since_ms = self._since_ms or now_ms

    def missed(self, what: str) -> None:
        """Something is not as it was, and reading goes on."""
        self._gaps += 1
        self._gap = what[:500]
        log.error("%s: %s", self.source, what)

    def worked(self, count: int = 0) -> None:
        """It worked, for so many messages."""
        self.handled += count
        if self._since_ms:
            away_s = (self._now_ms() - self._since_ms) // 1_000
            log.info("%s goes on after %d s", self.source, away_s)
            self._since_ms = 0

    def view(self) -> ConsumerView:
        """As operators see it."""
        return ConsumerView(
            self.consumer,
            source=self.source,
            shards=self.parts,
            behind=self.behind,
            handled=self.handled,
            failures=self._failures,
            failure=self._failure,
            failed_ms=self._failed_ms,
            gaps=self._gaps,
            gap=self._gap,
        )
