"""Who belongs to a run is known by what it holds open."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from actorkalix_cluster.rayhost import members

ENTERS = """
import sys
from pathlib import Path
from actorkalix_cluster.rayhost import members
members.enter(Path(sys.argv[1]), "shop/process-1")
print(flush=True)
sys.stdin.read()
"""


def entered(scratch: Path) -> subprocess.Popen[bytes]:
    """Another process that belongs to the run."""
    process = subprocess.Popen(
        [sys.executable, "-c", ENTERS, str(scratch)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    process.stdout.readline()
    return process


def test_those_that_live_are_found_by_name_and_without_us(tmp_path: Path) -> None:
    own = members.enter(tmp_path, "shop/controller-1")
    with entered(tmp_path) as other:
        (found,) = members.present(tmp_path)
        assert found.name == "shop/process-1"
        assert found.peer.pid == other.pid
        os.close(found.peer.pidfd)
        other.kill()
    os.close(own)
    assert members.present(tmp_path) == []
    assert not (tmp_path / f"member.{other.pid}").exists(), "what is over is forgotten"


def test_an_id_that_was_given_to_another_process_is_no_member(tmp_path: Path) -> None:
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as stranger:
        (tmp_path / f"member.{stranger.pid}").write_text("shop/process-1")
        assert members.present(tmp_path) == []
        assert stranger.poll() is None
