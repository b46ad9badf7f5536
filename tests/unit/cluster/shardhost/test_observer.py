"""The observer that keeps nothing."""

from __future__ import annotations

from actorkalix_cluster.shardhost.observer import Observer, SilentObserver


def test_silence() -> None:
    observer: Observer = SilentObserver()
    observer.handled("c", "m", 0.1, "")
    observer.committed(1, 2, 3, 0.1)
    observer.activated("c", 0.1)
    observer.passivated("c")
    observer.timer_fired("ok")
