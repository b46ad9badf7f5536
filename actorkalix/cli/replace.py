"""`actorkalix replace`: another host takes over a store, and no request is lost."""

from __future__ import annotations

import argparse
import asyncio
from contextlib import ExitStack

from actorkalix.cli.exits import Exit
from actorkalix.cli.output import Output
from actorkalix.cli.source import running


def execute(arguments: argparse.Namespace, output: Output) -> int:
    """Ask for it, and wait until the next host serves."""
    return asyncio.run(_execute(arguments, output))


async def _execute(arguments: argparse.Namespace, output: Output) -> int:
    store = arguments.store
    async with running(arguments) as service:
        with ExitStack() as stack:
            if not output.as_json:
                stack.enter_context(output.working(f"replacing the host of store {store}"))
            replaced = await service.replace(store)
    if output.as_json:
        output.document(replaced)
    elif replaced.host is not None and replaced.host.pid:
        output.show(f"store {store} is {replaced.host.state}, by host {replaced.host.pid}")
    else:
        output.show(f"the host of store {store} was replaced")
    return Exit.OK
