"""Runs `actorkalix run` as a child process and drains it at the end."""

import asyncio
import json
import signal
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

SERVICE = f"{Path(__file__).parent / 'service.py'}:service"
DRAIN_S_MAX = 60.0


class ServiceStopped(Exception):
    """`actorkalix run` ended by itself; `exit_code` is what it said."""

    def __init__(self, exit_code: int) -> None:
        super().__init__(f"actorkalix run ended with exit code {exit_code}")
        self.exit_code = exit_code


class Serving:
    """The running service: its URLs, and its end."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._urls: asyncio.Future[tuple[str, str]] = asyncio.get_running_loop().create_future()
        self._reader = asyncio.create_task(self._read_events())

    async def urls(self) -> tuple[str, str]:
        """HTTP and admin URL, once it serves."""
        return await asyncio.shield(self._urls)

    async def watch(self) -> None:
        """Raises `ServiceStopped` when the process ends without having been told to."""
        raise ServiceStopped(await self.ended())

    async def ended(self) -> int:
        """Waits for the end of the process; its exit code."""
        await asyncio.shield(self._reader)
        return await self._process.wait()

    async def drain(self) -> int:
        """Has the service finish what it has begun and stop; its exit code."""
        if self._process.returncode is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            return await asyncio.wait_for(self.ended(), DRAIN_S_MAX)
        except TimeoutError:
            self._process.kill()
            return await self.ended()

    async def _read_events(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            event: dict[str, str] = {}
            with suppress(ValueError):  # what is no event is shown as it is
                event = json.loads(line)
            if event.get("event") == "serving" and not self._urls.done():
                self._urls.set_result((event["http"], event["admin"]))
            else:
                print(line.decode(errors="replace").rstrip(), file=sys.stderr)
        if not self._urls.done():
            self._urls.set_exception(ServiceStopped(await self._process.wait()))


@asynccontextmanager
async def serving(options: Sequence[str]) -> AsyncGenerator[Serving, None]:
    """Starts the service with options of `actorkalix run`; drains it at the end.

    Raises:
        ServiceStopped: it ended before it served; what was wrong stands on stderr.
    """
    # A session of its own: Ctrl-C is for us, and we hand it on as a drain.
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "actorkalix", "run", SERVICE, "--json", *options),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    service = Serving(process)
    try:
        await service.urls()
        yield service
    finally:
        await service.drain()
