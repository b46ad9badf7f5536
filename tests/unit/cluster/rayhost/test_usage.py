"""Memory and processor time of a process."""

from __future__ import annotations

import os
import resource
import subprocess
import sys

from actorkalix_cluster.rayhost.usage import Usage, usage_of


def test_a_process_is_looked_at() -> None:
    found = usage_of(os.getpid())
    own = resource.getrusage(resource.RUSAGE_SELF)
    assert 1_000_000 < found.memory_bytes <= own.ru_maxrss * 1024 * 1.1
    assert abs(found.cpu_s - (own.ru_utime + own.ru_stime)) < 0.5


def test_one_that_has_ended_uses_nothing() -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    assert usage_of(ended.pid) == Usage()
