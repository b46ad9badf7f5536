"""Three-step workflows of DBOS; runs in a Python of its own, where DBOS is and nothing of ours.

    python dbos_flows.py DATABASE_URL COUNT CALLERS

It prints one line of JSON: the seconds that each workflow took, and all of them. Workflows are
called directly, which starts them and waits for their result: no queue, no handle that is polled.
They do what those of `flows` do.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import sys
from time import perf_counter
from typing import Any

WARM = 20  # workflows before any counts: connections and statements are there then


async def first(n: int) -> int:
    return 2 * n


async def following(total: int) -> int:
    return total + 1


def registered(dbos: Any) -> Any:
    """The workflow; `dbos` is the class `DBOS`, whose decorators know no types here."""
    one = dbos.step(name="first")(first)
    two, three = (dbos.step(name=name)(following) for name in ("second", "third"))

    async def flow(n: int) -> int:
        return int(await three(await two(await one(n))))

    return dbos.workflow()(flow)


async def load(three: Any, count: int, callers: int) -> tuple[list[float], float]:
    """Run so many: what each took, and all of them, in seconds."""
    taken: list[float] = []
    numbers = iter(range(count))

    async def call() -> None:
        for number in numbers:
            before = perf_counter()
            total = await three(number)
            taken.append(perf_counter() - before)
            if total != 2 * number + 2:
                raise RuntimeError(f"workflow {number} has ended with {total}")

    begun = perf_counter()
    await asyncio.gather(*(call() for _ in range(callers)))
    return taken, perf_counter() - begun


async def main(url: str, count: int, callers: int) -> None:
    """Measure, and print."""
    dbos = importlib.import_module("dbos").DBOS  # by name: our checkers do not have it
    dbos(config={"name": "flows", "system_database_url": url, "log_level": "ERROR"})
    three = registered(dbos)
    dbos.launch()
    await load(three, WARM, callers)
    taken, elapsed = await load(three, count, callers)
    print(json.dumps({"latencies_s": taken, "elapsed_s": elapsed}))
    dbos.destroy()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
