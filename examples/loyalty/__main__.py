"""Serves the loyalty programme on local Ray and feeds it 18 months of a music shop's purchases.

Run again on the same data folder, it sends every purchase again: each is there already and none
is counted twice.
"""

import argparse
import asyncio
import signal
import sys
import time
from contextlib import suppress

import httpx

from examples.loyalty.purchases import add_up, by_customer, by_month, read_log
from examples.loyalty.replay import ReplayFailed, Shop, read_all, send_all
from examples.loyalty.report import by_month_table, differences, progress, summary
from examples.loyalty.serving import ServiceStopped, serving

OK, FAILED, INTERRUPTED = 0, 1, 130


async def replay(url: str) -> int:
    """Sends the log, reads the customers back, prints the summary; fails where they differ."""
    purchases = read_log()
    customers = by_customer(purchases)

    def connect() -> Shop:
        return Shop(httpx.AsyncClient(base_url=url, timeout=30, verify=False))  # plain HTTP

    began = time.monotonic()
    with progress("purchases sent", len(purchases)) as advance:
        await send_all(connect, customers, advance)
    seconds = time.monotonic() - began
    with progress("customers read back", len(customers)) as advance:
        found = await read_all(connect, customers, advance)
    print(summary(found, len(purchases), seconds))
    async with connect() as shop:
        months = await shop.months(len(purchases))
    print(f"\n{by_month_table(months)}\n")
    wrong = differences({name: add_up(theirs) for name, theirs in customers.items()}, found)
    for line in wrong[:10]:
        print(line)
    print(
        f"{len(wrong):,} customers differ from the log"
        if wrong
        else "every customer agrees with the log"
    )
    agrees = months == by_month(purchases)
    print(f"sales by month {'agree with' if agrees else 'differ from'} the log")
    return OK if agrees and not wrong else FAILED


async def run(options: list[str], *, once: bool) -> int:
    """Serves and replays; ends after the summary, or goes on serving until Ctrl-C."""
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    async with serving(options) as service, asyncio.TaskGroup() as group:
        watch = group.create_task(service.watch())
        http, admin = await service.urls()
        outcome = await replay(http)
        if not once:
            print(f"\nserving  {http}    curl {http}/customers/1901")
            print(f"admin    {admin}    /health/ready  /metrics")
            print("Ctrl-C drains and stops", flush=True)
            with suppress(asyncio.CancelledError):
                await asyncio.Event().wait()
        watch.cancel()
    return outcome


def main() -> int:
    """The command line: `--once`, and options of `actorkalix run`."""
    parser = argparse.ArgumentParser(prog="scripts/run", description=__doc__)
    parser.add_argument("--once", action="store_true", help="end after the summary")
    parser.add_argument("--port", default="9000", help="of the HTTP API (9000)")
    parser.add_argument("--admin-port", default="9889", help="of health and metrics (9889)")
    parser.add_argument(
        "--data", help="folder of the service's data (.actorkalix/loyalty beside service.py)"
    )
    given = parser.parse_args()
    options = ["--port", given.port, "--admin-port", given.admin_port]
    options += ["--data", given.data] if given.data else []
    outcome = FAILED
    try:
        outcome = asyncio.run(run(options, once=given.once))
    except* (KeyboardInterrupt, asyncio.CancelledError):
        outcome = INTERRUPTED
    except* (ServiceStopped, ReplayFailed) as failures:
        print(f"scripts/run: {_first(failures)}", file=sys.stderr)
    return outcome


def _first(failure: BaseException) -> BaseException:
    inside: tuple[BaseException, ...] = getattr(failure, "exceptions", ())
    return _first(inside[0]) if inside else failure


if __name__ == "__main__":
    sys.exit(main())
