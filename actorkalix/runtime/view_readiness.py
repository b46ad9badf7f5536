"""Whether the views of a service that starts can be asked.

A view's process takes some seconds to start, and a new view is read first; until then its queries
wait, or are refused. So a service that has just begun is not ready before its views are, but for no
longer than `PATIENCE_S`: a view that takes an hour to be made is no reason to answer nothing else.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from actorkalix.errors import ViewIncomplete

PATIENCE_S = 60.0  # twice what a process takes to start on a busy machine; orchestrators wait more


class ViewsReady:
    """See the module.

    Args:
        servings: by view, what raises ViewIncomplete as long as it cannot be asked.
        monotonic_s: a clock.
    """

    def __init__(
        self,
        servings: Mapping[str, Callable[[], object]],
        *,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._waiting = dict(servings)
        self._monotonic_s = monotonic_s
        self._until_s = monotonic_s() + PATIENCE_S

    def __call__(self) -> list[str]:
        """Why the service is not ready; nothing when it is, and from then on."""
        if self._waiting and self._monotonic_s() >= self._until_s:
            self._waiting.clear()
        reasons: list[str] = []
        for view, serving in list(self._waiting.items()):
            try:
                serving()
            except ViewIncomplete as error:
                reasons.append(str(error))
            else:
                del self._waiting[view]
        return reasons
