"""`import actorkalix` is quick and loads nothing that only a running service needs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
HEAVY = ("ray", "lmdb", "grpc", "starlette", "uvicorn", "httpx", "prometheus_client", "asyncio")


def test_importing_loads_none_of_the_heavy_ones() -> None:
    program = f"import actorkalix, sys; print([m for m in {HEAVY!r} if m in sys.modules])"
    paths = os.pathsep.join(str(ROOT / part) for part in (".", "cluster", "storage"))
    ran = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": paths},
    )
    assert ran.stdout.strip() == "[]"
