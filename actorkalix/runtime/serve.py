"""What `actorkalix run` does: from the name of a service to answered requests, and back to nothing.

In this order, so that what is wrong is said before anything is started: the service is imported,
the folder taken, the ports bound, shards moved between stores where that is asked for; then Ray,
the controller in it, the hosts that it starts, and the wait for a signal. Everything is closed in
the opposite order. The reaper, which ends what is left when this process is killed, starts before
Ray and holds the folder's lock along.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import sys
import time
from collections.abc import Generator
from contextlib import ExitStack, closing, contextmanager
from ipaddress import ip_address
from pathlib import Path

import msgspec

import actorkalix
import actorkalix_cluster
import actorkalix_storage
from actorkalix.errors import (
    AccessNotDeclared,
    ActorkalixError,
    HostKeepsDying,
    InternalError,
    RayFailed,
    catalog,
)
from actorkalix.gateway.server import bind
from actorkalix.model.service import Service
from actorkalix.runtime import config as said
from actorkalix.runtime import folders, presence, stores
from actorkalix.runtime.config import Report, RunConfig
from actorkalix.runtime.extras import check_brokers
from actorkalix.runtime.loading import Loaded, load, resolve
from actorkalix.runtime.orders import ControllerConfig, HostConfig
from actorkalix.runtime.outside import outside_topics
from actorkalix.runtime.tasks import refuse_environments
from actorkalix.runtime.telling import Seen, Teller
from actorkalix_cluster.rayhost import join, launch, reaper, supervise
from actorkalix_cluster.rayhost.actors import Making
from actorkalix_cluster.rayhost.events import Ending
from actorkalix_cluster.rayhost.sockets import Handover, Taken

FACTORY = "actorkalix.runtime.controlling:controller"
HANDOVER = "handover"
DURABILITY = "fsync before each reply"
INTERRUPTED = 130  # as shells count a second Ctrl-C


def run(config: RunConfig, report: Report) -> int:
    """Serve until SIGINT, SIGTERM or SIGHUP; in the main thread.

    Args:
        config: what to serve, and where.
        report: is told what happens, as it happens; must not block.

    Returns:
        0 when all requests were drained; 130 when a second signal cut the drain short.

    Raises:
        DefinitionError: the service cannot be imported, declares no access beyond loopback, or
            needs a library that is not there.
        FolderUnusable, ForeignFolder, FolderInUse, PortTaken: as they say; nothing was started.
        RayFailed, HostKeepsDying: it went wrong on the way; everything was ended.
        KeyboardInterrupt: a signal came before anything served.
        ActorkalixError: why the host refused to start.
    """
    loaded = load(resolve(config.service, config.app_dir))
    _check_access(loaded.service, config.address)
    check_brokers(outside_topics(loaded.service).values())
    refuse_environments(loaded.service.descriptor, sys.executable)
    try:
        with ExitStack() as stack:
            ending = _Run(config, loaded, report, stack).serve()
    except SystemExit:  # from Ray's own handler of SIGTERM, while it starts
        raise KeyboardInterrupt from None
    if ending.cause in ("stopped", "cut"):
        drained = ending.cause == "stopped"
        report(said.Stopped(drained))
        return 0 if drained else INTERRUPTED
    raise _error_of(ending)


class _Run:
    """One run; what it opens is closed by `stack`."""

    def __init__(self, config: RunConfig, loaded: Loaded, report: Report, stack: ExitStack) -> None:
        self._config = config
        self._loaded = loaded
        self._service = loaded.service
        self._report = report
        self._stack = stack
        data = Path(config.data) if config.data else loaded.data
        waiting = said.Waiting(str(data))
        self._folder = stack.enter_context(
            folders.taken(data, self._service.name, lambda: report(waiting))
        )
        self._http = stack.enter_context(bind(config.address, config.port))
        self._admin = stack.enter_context(bind(said.LOOPBACK, config.admin_port, "--admin-port"))
        self._since = time.monotonic()
        self._ending = Ending("cut")
        self._teller = Teller(report, self._serving)
        self._options = launch.RayOptions(
            scratch=launch.scratch_folder(self._folder.path),
            token_file=self._folder.token_file(),
            cpus=config.cpus,
            python_path=launch.python_path(actorkalix, actorkalix_cluster, actorkalix_storage),
        )

    def serve(self) -> Ending:
        """Start or join Ray and keep hosts alive in it until there is a reason not to."""
        self._report(said.Starting(self._service.name, str(self._folder.path), self._config.ray))
        scratch = self._options.scratch
        self._stack.callback(self._tidy)
        self._stack.enter_context(reaper.watching(scratch, (self._folder.lock,)))
        self._prepared = stores.prepare(
            self._folder.path,
            self._service.name,
            hosts=self._config.hosts,
            report=self._report,
            inherit=(self._folder.lock,),
        )
        self._teller.seen.stores = len(self._prepared.stores)
        self._ray = self._stack.enter_context(self._running_ray())
        self._stack.callback(presence.withdraw, self._folder.path, os.getpid())
        self._ending = asyncio.run(self._supervise())
        return self._ending

    @contextmanager
    def _running_ray(self) -> Generator[launch.LocalRay | join.JoinedRay]:
        """A Ray of our own, or the one that was named."""
        scratch, address = self._options.scratch, self._config.ray
        try:
            with ExitStack() as entered:
                ray: launch.LocalRay | join.JoinedRay
                if address is None:
                    ray = entered.enter_context(launch.local_ray(self._options))
                else:
                    ray = entered.enter_context(join.joined_ray(address, scratch))
                leaving = entered.pop_all()
        except launch.RayNotStarted as error:
            if address is not None:
                raise RayFailed(f"there is no Ray to serve on at {address}: {error}") from error
            raise RayFailed(f"Ray did not start: {error}; its logs are below {scratch}") from error
        with leaving:
            yield ray

    def _tidy(self) -> None:
        """Leave Ray's logs where they may explain something, and nothing else."""
        if self._ending.cause == "stopped":
            shutil.rmtree(self._options.scratch, ignore_errors=True)

    async def _supervise(self) -> Ending:
        stop, cut = asyncio.Event(), asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:  # nohup
                asyncio.get_running_loop().add_signal_handler(number, self._on_signal, stop, cut)
        own = os.pidfd_open(os.getpid())
        # Standard output is for the events alone; what processes and handlers print goes to 2.
        files = Taken(own, 2, (self._http.fileno(), self._admin.fileno()))
        path = self._options.scratch / HANDOVER
        with closing(Handover(path, files)) as handover:
            plan = self._plan(handover)
            supervisor = supervise.Supervisor(self._ray, handover, plan, self._teller.tell)
            return await supervisor.run(stop, cut)

    def _plan(self, handover: Handover) -> supervise.Plan:
        scratch, prepared = self._options.scratch, self._prepared
        joined = self._config.ray is not None
        making = Making(
            prefix=f"{self._service.name}-{scratch.name}/",
            namespace=launch.NAMESPACE,
            scratch=str(scratch),
            handover=str(scratch / HANDOVER),
            ticket=handover.ticket,
            unwanted_paths=launch.unwanted_paths(self._options),
            environment=launch.import_path(self._options) if joined else {},
            node=self._ray.node if isinstance(self._ray, join.JoinedRay) else "",
        )
        grace_s = self._service.limits.drain_timeout.total_seconds()
        config = ControllerConfig(
            host=HostConfig(
                self._loaded.spec, self._config.dev, making, self._config.view_nodes or ""
            ),
            data=str(self._folder.path),
            stores=prepared.stores,
            cluster=prepared.cluster,
            lineage=prepared.lineage,
            shards=prepared.shards,
            homes=prepared.homes,
            making=making,
            grace_s=grace_s,
        )
        return supervise.Plan(making, FACTORY, msgspec.msgpack.encode(config), grace_s)

    def _on_signal(self, stop: asyncio.Event, cut: asyncio.Event) -> None:
        if stop.is_set():
            cut.set()
            return
        stop.set()
        self._teller.stop()
        # The hosts have their own; closed here too, new connections are refused, not queued.
        self._http.close()
        self._admin.close()
        self._report(said.Draining(self._service.limits.drain_timeout.total_seconds()))

    def _serving(self, seen: Seen) -> said.Serving:
        """Everything that can be served is, for the first time."""
        url, admin_url = _url(self._http), _url(self._admin)
        note = presence.Presence(
            self._service.name, os.getpid(), url, admin_url, time.time_ns() // 1_000_000
        )
        presence.announce(self._folder.path, note)
        components = self._service.descriptor.components
        first = next(iter(seen.hosts.values()), 0)
        return said.Serving(
            service=self._service.name,
            url=url,
            admin_url=admin_url,
            data=str(self._folder.path),
            durability=DURABILITY,
            shards=seen.shards,
            damaged=seen.damaged,
            components={name: component.kind for name, component in components.items()},
            hosts=dict(seen.hosts),
            fenced=dict(seen.fenced),
            pids={
                "run": os.getpid(),
                "controller": seen.controller,
                "host": first,
                **self._ray.processes,
            },
            ray_logs=self._ray.logs,
            seconds=time.monotonic() - self._since,
        )


def _check_access(service: Service, address: str) -> None:
    if service.acl is not None or is_loopback(address):
        return
    raise AccessNotDeclared(
        f"{address} can be reached from other machines, and the service {service.name!r} does not "
        f"say who may call it; if all may, write Service({service.name!r}, ..., acl=allow_all)"
    )


def is_loopback(address: str) -> bool:
    """Whether only this machine can reach the address; a name counts by all that it stands for."""
    try:
        found = socket.getaddrinfo(address, None, type=socket.SOCK_STREAM)
    except OSError:
        return False
    return all(ip_address(str(info[4][0])).is_loopback for info in found)


def _url(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _error_of(ending: Ending) -> ActorkalixError:
    """What the ending is to the user."""
    match ending.cause:
        case "ray":
            return RayFailed(ending.message)
        case "dying":
            return HostKeepsDying(ending.message)
        case _:
            return catalog().get(ending.number, InternalError)(ending.message)
