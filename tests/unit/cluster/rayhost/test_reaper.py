"""The reaper knows whom to end: the run's own processes, and nobody else."""

from __future__ import annotations

import os
import select
import subprocess
import sys
from pathlib import Path

from actorkalix_cluster.rayhost import reaper

WAIT = "import sys; print(flush=True); sys.stdin.read()"


def started(scratch: Path | None, code: str = WAIT) -> subprocess.Popen[bytes]:
    """A process with the mark of a run, that waits; it has begun when this returns."""
    marked = {} if scratch is None else {reaper.MARK: str(scratch)}
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        env={**os.environ, **marked},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    process.stdout.readline()
    return process


def test_sweep_ends_the_processes_of_the_run_alone(tmp_path: Path) -> None:
    with (
        started(tmp_path) as ours,
        started(tmp_path / "other") as other,
        started(None) as stranger,
    ):
        assert reaper.sweep(tmp_path) == 1
        assert ours.wait() == -9
        assert other.poll() is None
        assert stranger.poll() is None
        other.kill()
        stranger.kill()


def test_sweep_of_nothing(tmp_path: Path) -> None:
    assert reaper.sweep(tmp_path) == 0


def test_a_reader_of_our_log_files_is_no_member(tmp_path: Path) -> None:
    code = f"log = open({str(tmp_path / 'raylet.out')!r}, 'w'); {WAIT}"
    with started(None, code) as reader:
        assert reaper.sweep(tmp_path) == 0
        assert reader.poll() is None
        reader.kill()


WATCHED = """
import os, subprocess, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from actorkalix_cluster.rayhost import reaper

scratch = Path(sys.argv[2])
with reaper.watching(scratch, (os.dup(1),)):
    child = subprocess.Popen(
        [sys.executable, "-c", "import sys; sys.stdin.read()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        env={**os.environ, reaper.MARK: str(scratch)},
    )
    print(child.pid, flush=True)
    sys.stdin.read()
"""


def test_a_killed_run_takes_its_processes_along_before_its_lock_is_free(tmp_path: Path) -> None:
    package_folder = str(Path(reaper.__file__).parents[2])
    with subprocess.Popen(
        [sys.executable, "-c", WATCHED, package_folder, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as run:
        assert run.stdout is not None
        child = os.pidfd_open(int(run.stdout.readline()))
        run.kill()
        assert run.stdout.read() == b""  # the reaper holds this pipe as it would hold a lock
    assert select.select([child], [], [], 0)[0], "the child is gone by then"
    os.close(child)


def test_leaving_the_block_ends_the_reaper(tmp_path: Path) -> None:
    read, write = os.pipe()
    with reaper.watching(tmp_path, (write,)):
        os.close(write)
    assert os.read(read, 1) == b""
    os.close(read)
