"""When a consumer that fails tries again, and when it waits as a whole. Pure.

Failures of one subject are its own. When several subjects fail in a row and none is handled in
between, the fault is not theirs (a dependency is down): the consumer waits, tries one, and goes on
when that one is handled.
"""

from __future__ import annotations

from zlib import crc32

from actorkalix_cluster.shardhost.limits import ConsumerLimits
from actorkalix_cluster.shardhost.progress import Subject


class Patience:
    """What a consumer knows of its failures.

    Args:
        pause_after: subjects that fail in a row until it waits as a whole.
        limits: of the consumer.

    Attributes:
        pauses: waits as a whole since something was handled.
        resume_ms: end of the present one.
    """

    def __init__(self, pause_after: int, limits: ConsumerLimits) -> None:
        self._pause_after = pause_after
        self._limits = limits
        self._failing: set[Subject] = set()
        self._full = False
        self.pauses = 0
        self.resume_ms = 0

    @property
    def paused(self) -> bool:
        """It waits as a whole, or tries whether it still has to."""
        return self._full or len(self._failing) >= self._pause_after

    def may_try(self, now_ms: int) -> bool:
        """Whether something may be tried now."""
        return not self.paused or now_ms >= self.resume_ms

    def handled(self) -> bool:
        """Something was handled; whether that ends a wait as a whole."""
        was = self.paused
        if self._failing:
            self._failing.clear()
            self._full = False
            self.pauses = 0
        return was

    def failed(self, subject: Subject, salt: str, now_ms: int, full: bool = False) -> int:
        """A subject has failed; how long the consumer waits as a whole, 0 when it goes on.

        Args:
            subject: that failed.
            salt: of the wait.
            now_ms: time of it.
            full: too many subjects wait already, so it waits as a whole whatever it failed on.
        """
        self._failing.add(subject)
        self._full = self._full or full
        if not self.paused:
            return 0
        self.pauses += 1
        wait_ms = self.wait_ms(self.pauses, salt)
        self.resume_ms = now_ms + wait_ms
        return wait_ms

    def wait_ms(self, attempts: int, salt: str) -> int:
        """Doubling waits, each up to a fifth longer by the salt, so that not all come at once."""
        limits = self._limits
        wait_ms = min(limits.retry_ms << min(attempts - 1, 16), limits.retry_ms_max)
        return wait_ms + crc32(f"{salt}{attempts}".encode()) % (wait_ms // 5 + 1)
