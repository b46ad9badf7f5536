"""A Ray that runs already, and that others use too: joined by the run process, left at its end.

Our actors stand in a namespace of their own, under names that begin with the service's; nothing of
other jobs is touched, and nothing of ours is left when the run process ends, however it ends: each
of our processes waits for that end, and `reaper` kills those that stand still.

The run is on one node, the one of this machine: the listening sockets travel over a unix socket,
and stores lie in one data folder. Where the cluster has others, our processes are bound to ours,
but for those that are made for another one (`far`).
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import socket
from collections.abc import Generator
from pathlib import Path
from typing import Any

from actorkalix_cluster.rayhost import far, reaper
from actorkalix_cluster.rayhost.launch import (
    NAMESPACE,
    RayNotStarted,
    ended_first,
    forget,
    is_over,
    leave,
    module,
)
from actorkalix_cluster.rayhost.nodes import this_node

CONNECT_S_MAX = 5.0


class JoinedRay:
    """A Ray of others. Made by `joined_ray`.

    Attributes:
        scratch: the run's own folder.
        logs: folder of Ray's logs.
        processes: id of the raylet of this machine, by that name.
        node: id of the node of this machine.
    """

    def __init__(self, scratch: Path, node: Any) -> None:
        self.scratch = scratch
        self.node = this_node()
        self.logs = str(node.get_logs_dir_path())
        self.processes = {"raylet": _raylet(node.raylet_socket_name)}
        self._handles = {name: os.pidfd_open(pid) for name, pid in self.processes.items()}

    async def ended(self) -> str:
        """Wait until one of its processes has ended; returns which."""
        return await ended_first(self._handles)

    def close(self) -> None:
        """Leave it; what of ours still runs there is ended."""
        reaper.sweep(self.scratch)
        if is_over(self._handles.values()):
            atexit.register(leave)
        else:
            far.kill_left(NAMESPACE, self.scratch.name)
            module("ray").shutdown()
        for handle in self._handles.values():
            os.close(handle)


@contextlib.contextmanager
def joined_ray(address: str, scratch: Path) -> Generator[JoinedRay]:
    """The Ray at an address for the time of the `with` block; in the main thread.

    Args:
        address: as Ray takes it: `auto`, or `host:port` of its GCS.
        scratch: from `launch.scratch_folder`.

    Raises:
        RayNotStarted: there is none, or none of its nodes is this machine; with the cause.
    """
    reaper.sweep(scratch)  # of a run whose reaper was killed too
    forget(scratch)
    _check_address(address)
    _use_token()
    ray = module("ray")
    logging.getLogger("ray").setLevel(logging.CRITICAL)
    module("ray._private.worker")._worker_logs_enabled = False
    try:
        ray.init(address=address, namespace=NAMESPACE, configure_logging=False, log_to_driver=False)
        _check_node(ray.nodes(), this_node())
        joined = JoinedRay(scratch, module("ray._private.worker").global_worker.node)
    except BaseException as error:  # Ctrl-C too
        ray.shutdown()
        if isinstance(error, Exception) and not isinstance(error, RayNotStarted):
            raise RayNotStarted(f"{type(error).__name__}: {error}") from error
        raise
    try:
        yield joined
    finally:
        joined.close()


def _check_address(address: str) -> None:
    """Say at once what Ray would say after a minute or two."""
    if "://" in address:
        raise RayNotStarted(f"{address} is an address of Ray Client; give host:port of the GCS")
    where = address
    if address == "auto":
        where = _found()
        address = f"{where}, where `auto` leads"
    host, _, port = where.rpartition(":")
    if not (host and port.isascii() and port.isdigit()):
        raise RayNotStarted("an address is `auto`, or host:port of the GCS")
    try:
        socket.create_connection((host, int(port)), CONNECT_S_MAX).close()
    except OSError as error:
        raise RayNotStarted(f"nobody answers at {address}: {error.strerror or error}") from error


def _found() -> str:
    """Where Ray looks when it is told `auto`; what it finds may be the note of one that is gone."""
    try:
        found: str = module("ray._private.services").canonicalize_bootstrap_address("auto")
    except (ConnectionError, ValueError) as error:
        raise RayNotStarted(str(error)) from error
    return found


def _use_token() -> None:
    """Show the machine's token where there is one: `ray start` asks for it unless told not to."""
    if "RAY_AUTH_MODE" not in os.environ and (Path.home() / ".ray" / "auth_token").exists():
        os.environ["RAY_AUTH_MODE"] = "token"
    raylet = module("ray._raylet")
    raylet.Config.initialize("")
    raylet.AuthenticationTokenLoader.instance().reset_cache()


def _check_node(nodes: list[dict[str, Any]], own: str) -> None:
    names = [node["NodeManagerHostname"] for node in nodes if node["NodeID"] == own]
    if names != [socket.gethostname()]:
        raise RayNotStarted(f"the cluster's node is {', '.join(names)}; join it from there")


def _raylet(socket_name: str) -> int:
    """The process that was started with this socket."""
    wanted = f"--raylet_socket_name={socket_name}".encode()
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            with contextlib.suppress(OSError):
                words = (process / "cmdline").read_bytes().split(b"\0")
                if words[0].endswith(b"raylet") and wanted in words:
                    return int(process.name)
    raise RayNotStarted("the cluster's raylet does not run on this machine")
