"""A Ray of our own on this machine: started by the run process, ended with it.

It is never one that was found: every `RAY_*` variable of the caller (`RAY_ADDRESS` foremost) is
kept from it, and its own go to its processes alone. All its ports are on the loopback interface and
ask for a token that only this data folder has. Its files are in a *scratch folder* with a short
name, for the names of unix sockets end at 107 bytes.

Ray ties gcs and raylet to the *thread* that started them (PR_SET_PDEATHSIG), so `local_ray` is for
the main thread. `reaper` sees to the rest.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import hashlib
import importlib
import logging
import os
import select
import shutil
import site
import stat
import sys
import tempfile
from collections.abc import Generator, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from actorkalix_cluster.rayhost import reaper
from actorkalix_cluster.rayhost.memory import Memory

NAMESPACE = "actorkalix"
RAY_FOLDER = "ray"  # in the scratch folder, for Ray opens its own to everybody (mode 0777)
OBJECT_STORE_BYTES = 80 * 2**20  # Ray's least is 75 MB; hosts put nothing there
SESSIONS_KEPT = 3  # Ray's logs of so many runs stay in the scratch folder

EXIT_WITHOUT_RAY = 4  # as `actorkalix run` reports what went wrong on the way

# Ray's wishes for many small workers, turned to one host that is the service:
_SYSTEM_CONFIG = {
    "worker_niceness": 0,  # 15 by default: last in line for the processor
    "worker_oom_score_adjustment": 0,  # 1000 by default: first to be killed
    "memory_monitor_refresh_ms": 0,  # Ray would kill it when others fill the memory
    "enable_worker_prestart": False,  # an idle Python for each processor
    "prestart_worker_first_driver": False,
    "enable_metrics_collection": False,
}


class RayOptions(msgspec.Struct, frozen=True):
    """How the local Ray is started.

    Attributes:
        scratch: from `scratch_folder`.
        token_file: holds the token of 64 hex digits, mode 0600; absolute.
        cpus: for tasks, None for what the machine has.
        python_path: folders from which the packages come, where they are not installed.
    """

    scratch: Path
    token_file: Path
    cpus: int | None = None
    python_path: tuple[str, ...] = ()


class RayNotStarted(Exception):
    """Ray could not be started; the message is Ray's own."""


class LocalRay:
    """A running local Ray. Made by `local_ray`.

    Attributes:
        scratch: its folder.
        logs: folder of Ray's own logs.
        processes: ids by name, of those without which it is dead: gcs_server, raylet.
    """

    def __init__(self, scratch: Path) -> None:
        self.scratch = scratch
        self.logs = str(scratch / RAY_FOLDER / "session_latest" / "logs")
        self.processes = {
            name: pid for pid, name in _children() if name in ("gcs_server", "raylet")
        }
        assert len(self.processes) == 2, self.processes
        self._handles = {name: os.pidfd_open(pid) for name, pid in self.processes.items()}

    async def ended(self) -> str:
        """Wait until one of its processes has ended; returns which."""
        return await ended_first(self._handles)

    def close(self) -> None:
        """End it and everything in it; when it is broken, this process has to end soon after."""
        if is_over(self._handles.values()):
            # Ray's shutdown, and its threads in this process, wait for answers that nobody gives.
            atexit.register(leave)
        else:
            module("ray").shutdown()
        for handle in self._handles.values():
            os.close(handle)
        reaper.sweep(self.scratch)


async def ended_first(handles: Mapping[str, int]) -> str:
    """Wait until one of the processes behind pidfds has ended; returns its name."""
    loop = asyncio.get_running_loop()
    ended: asyncio.Queue[str] = asyncio.Queue()
    for name, handle in handles.items():
        loop.add_reader(handle, ended.put_nowait, name)
    try:
        return await ended.get()
    finally:
        for handle in handles.values():
            loop.remove_reader(handle)


def leave() -> None:
    """End this process at once, as one whose Ray is gone."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(EXIT_WITHOUT_RAY)


def module(name: str) -> Any:
    """A module of Ray, imported when it is needed; what it ships of types is not strict enough."""
    return importlib.import_module(name)


def scratch_folder(data: Path) -> Path:
    """The scratch folder of a data folder: short, ours alone (mode 0700), the same for each run.

    Raises:
        PermissionError: something with this name belongs to somebody else.
        OSError: it cannot be made.
    """
    digest = hashlib.blake2b(f"{os.geteuid()}:{data.resolve()}".encode(), digest_size=4).hexdigest()
    base = Path("/tmp")  # gettempdir() may be long
    folder = (base if os.access(base, os.W_OK) else Path(tempfile.gettempdir())) / f"ak-{digest}"
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise PermissionError(f"{folder} belongs to another user")
    folder.chmod(0o700)
    return folder


@contextlib.contextmanager
def local_ray(options: RayOptions) -> Generator[LocalRay]:
    """A local Ray for the time of the `with` block; in the main thread.

    Raises:
        RayNotStarted: with the cause.
    """
    reaper.sweep(options.scratch)  # of a run whose reaper was killed too
    forget(options.scratch)
    with _environment(_variables(options)):
        _init(options)
    local = LocalRay(options.scratch)
    try:
        yield local
    finally:
        local.close()


def _init(options: RayOptions) -> None:
    ray, raylet = module("ray"), module("ray._raylet")
    # All three were read when `ray` was first imported, which may have been before us.
    module("ray._private.ray_constants").ENABLE_RAY_CLUSTER = False  # loopback alone
    raylet.Config.initialize("")
    raylet.AuthenticationTokenLoader.instance().reset_cache()
    logging.getLogger("ray").setLevel(logging.CRITICAL)
    # "(raylet) A worker died ..." on stdout: `supervise` says that.
    module("ray._private.worker")._worker_logs_enabled = False
    try:
        ray.init(
            address="local",
            num_cpus=options.cpus,
            include_dashboard=False,
            namespace=NAMESPACE,
            object_store_memory=OBJECT_STORE_BYTES,
            configure_logging=False,
            log_to_driver=False,
            _temp_dir=str(options.scratch / RAY_FOLDER),
            _system_config=dict(_SYSTEM_CONFIG),
        )
        if raylet.get_authentication_mode() != raylet.AuthenticationMode.TOKEN:
            raise RuntimeError("this version of Ray does not know token authentication")
    except BaseException as error:  # Ctrl-C too
        ray.shutdown()
        reaper.sweep(options.scratch)
        if isinstance(error, Exception):
            raise RayNotStarted(f"{type(error).__name__}: {error}") from error
        raise


def import_path(options: RayOptions) -> dict[str, str]:
    """The variable with which other processes import the same packages, where one is needed."""
    path = [*options.python_path, *filter(None, [os.environ.get("PYTHONPATH")])]
    return {"PYTHONPATH": os.pathsep.join(path)} if path else {}


def _variables(options: RayOptions) -> Mapping[str, str]:
    return {
        reaper.MARK: str(options.scratch),
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(options.token_file),
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
        "RAY_DISABLE_IMPORT_WARNING": "1",
        "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
        **import_path(options),
    }


@contextlib.contextmanager
def _environment(variables: Mapping[str, str]) -> Generator[None]:
    """Without any `RAY_*` and with `variables`, for the processes started meanwhile."""
    before = dict(os.environ)
    for name in [name for name in before if name.startswith("RAY_")]:
        del os.environ[name]
    os.environ.update(variables)
    try:
        yield
    finally:
        for name in variables:
            del os.environ[name]
        os.environ.update(before)


def python_path(*modules: Any) -> tuple[str, ...]:
    """Folders of top-level packages that are not installed, so that others import the same."""
    roots = {str(Path(module.__file__).resolve().parents[1]) for module in modules}
    installed = {
        str(Path(folder).resolve())
        for folder in [*site.getsitepackages(), site.getusersitepackages()]
    }
    return tuple(sorted(roots - installed))


def unwanted_paths(options: RayOptions) -> tuple[str, ...]:
    """What Ray puts first in its workers' `sys.path` unasked: working and script folder."""
    asked = {*options.python_path, *os.environ.get("PYTHONPATH", "").split(os.pathsep)}
    return tuple({str(Path.cwd()), str(Path(sys.argv[0]).resolve().parent)} - asked)


def forget(scratch: Path) -> None:
    """Remove what earlier runs have left, but for the newest of Ray's logs."""
    sessions = list((scratch / RAY_FOLDER).glob("session_2*"))
    sessions.sort(key=lambda folder: folder.stat().st_mtime)
    for folder in sessions[: -(SESSIONS_KEPT - 1)]:
        shutil.rmtree(folder, ignore_errors=True)
    for pattern in ("last-words.*", "member.*", "slip.*"):
        for left in scratch.glob(pattern):
            left.unlink(missing_ok=True)
    Memory.forget(scratch)


def _children() -> Iterator[tuple[int, str]]:
    """Id and name of each child process of ours (proc(5))."""
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            with contextlib.suppress(OSError):
                name, _, rest = (process / "stat").read_text().partition("(")[2].rpartition(")")
                if int(rest.split()[1]) == os.getpid():
                    yield int(process.name), name


def is_over(handles: Iterable[int]) -> bool:
    """Whether one of the processes behind pidfds has ended."""
    return bool(select.select(list(handles), [], [], 0)[0])
