"""DBOS beside our workflows: in a Python of its own, on SQLite and on PostgreSQL, in the same run.

It is installed from PyPI once, into .bench/peers, and PostgreSQL is what the machine has; a store
that is not there is told as not installed. Each measurement has a process and a database of its
own; both stores sync what they commit, as they do by default.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Generator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import msgspec

from .load import Load, load_of

REQUIREMENT = "dbos>=3.4,<4"
PEERS = Path(__file__).parents[2] / ".bench" / "peers"
PROGRAM = Path(__file__).with_name("dbos_flows.py")
DEBIAN = Path("/usr/lib/postgresql")
USERS = ("postgres", "nobody")  # PostgreSQL does not run as root
PATIENCE_S = 600.0
STORES = ("DBOS on SQLite", "DBOS on PostgreSQL")


class Taken(msgspec.Struct, frozen=True):
    """What the program prints."""

    latencies_s: list[float]
    elapsed_s: float


class Dbos:
    """DBOS with one store.

    Args:
        python: that has DBOS.
        server: folder of PostgreSQL's programs; None for SQLite.
    """

    def __init__(self, python: Path, server: Path | None) -> None:
        self._python = python
        self._server = server

    def load(self, count: int, callers: int) -> Load:
        """Run so many three-step workflows.

        Raises:
            subprocess.SubprocessError: it did not end well.
        """
        with ExitStack() as stack:
            if self._server is None:
                folder = stack.enter_context(tempfile.TemporaryDirectory())
                url = f"sqlite:///{folder}/flows.sqlite"
            else:
                url = stack.enter_context(_serving(self._server))
            program = (self._python, "-P", PROGRAM, url, str(count), str(callers))
            said = _run(*program)
        taken = msgspec.json.decode(said.splitlines()[-1], type=Taken)
        return load_of(callers, taken.latencies_s, taken.elapsed_s)


def dbos(*, install: bool = True) -> dict[str, Dbos | None]:
    """DBOS by its stores; None for those that are not installed.

    Args:
        install: it, where it is not there yet.
    """
    python = _python(install=install)
    server = postgres()
    sqlite = None if python is None else Dbos(python, None)
    other = None if python is None or server is None else Dbos(python, server)
    return dict(zip(STORES, (sqlite, other), strict=True))


def postgres() -> Path | None:
    """The folder of PostgreSQL's programs: that of the path, else the newest of Debian's."""
    found = shutil.which("postgres", path=f"{os.environ.get('PATH', '')}:/usr/local/bin")
    folders = [Path(found).resolve().parent] if found else []
    folders += sorted(DEBIAN.glob("*/bin"), reverse=True)
    for folder in folders:
        if all((folder / name).exists() for name in ("postgres", "initdb", "pg_ctl")):
            return folder
    return None


def _python(*, install: bool) -> Path | None:
    """The Python that has DBOS."""
    python = PEERS / "dbos" / "bin" / "python"
    has = (python, "-c", "import dbos")
    with suppress(OSError, subprocess.SubprocessError):
        _run(*has)
        return python
    if not install:
        return None
    with suppress(OSError, subprocess.SubprocessError):
        _run(sys.executable, "-m", "venv", "--clear", "--without-pip", PEERS / "dbos")
        pip = (sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check")
        _run(*pip, "install", "--quiet", REQUIREMENT)
        return python
    return None


@contextmanager
def _serving(programs: Path) -> Generator[str]:
    """A PostgreSQL server with an empty folder, on a socket in it; gives the URL of a database."""
    user = _user()
    with tempfile.TemporaryDirectory(prefix="pg") as folder:
        if user is not None:
            shutil.chown(folder, user)
        data, options = f"{folder}/data", f"-k {folder} -c listen_addresses=''"
        control = (programs / "pg_ctl", "-D", data, "-w", "-s")
        _run(programs / "initdb", "-D", data, "-A", "trust", "-U", "flows", user=user)
        _run(*control, "-l", f"{folder}/log", "-o", options, "start", user=user)
        try:
            yield f"postgresql+psycopg://flows@/flows?host={folder}"
        finally:
            _run(*control, "-m", "fast", "stop", user=user)


def _user() -> str | None:
    """Who runs the server, if it may not be who we are."""
    if os.geteuid() != 0:
        return None
    for name in USERS:
        with suppress(OSError, subprocess.SubprocessError):
            _run("id", "-u", name)
            return name
    return None


def _run(*words: str | Path, user: str | None = None) -> str:
    """What a program prints.

    Raises:
        subprocess.SubprocessError: it failed, or took too long.
    """
    ran = subprocess.run(
        words,
        stdout=subprocess.PIPE,
        stderr=None if user is None else subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
        text=True,
        timeout=PATIENCE_S,
        check=True,
        user=user,
        extra_groups=None if user is None else [],
        cwd="/",
    )
    return ran.stdout
