"""`runtime.serve` on a real Ray: what dies is replaced or said; nothing stays behind (LT-01)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from actorkalix.runtime import config as said
from actorkalix_cluster.rayhost import launch
from actorkalix_cluster.rayhost.memory import DEATHS_MAX
from tests.ray.conftest import Place, ends_within

BACK_S_MAX = 5.0
GONE_S_MAX = 10.0
STRANGER = """
import sys, ray
try:
    ray.init(address=sys.argv[1], logging_level="CRITICAL", log_to_driver=False)
except BaseException as error:
    sys.exit(f"refused: {type(error).__name__}: {error}")
"""


STRANGERS = {
    "RAY_AUTH_MODE": "token",
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # so that it tries loopback
    "RAY_NUM_REDIS_GET_RETRIES": "1",
}


def members(scratch: Path) -> list[int]:
    """Processes that have a file of the scratch folder open, the run itself too."""
    found: list[int] = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                links = [os.readlink(each) for each in (process / "fd").iterdir()]
            except OSError:
                continue
            if any(link.startswith(f"{scratch}/") for link in links):
                found.append(int(process.name))
    return found


def test_a_killed_host_is_replaced_on_the_same_ports_with_everything(place: Place) -> None:
    with place.serving() as (run, serving):
        assert place.add("kept", 5) == 5
        host = serving.pids["host"]
        for _ in range(2):
            killed_at = time.monotonic()
            os.kill(host, signal.SIGKILL)
            assert place.value("kept") == 5, "the connection waits in the backlog"
            assert time.monotonic() - killed_at < BACK_S_MAX
            assert run.wait_for(said.HostDied).pid == host
            host = run.wait_for(said.Restarted).pid
        assert place.add("kept", 1) == 6


def test_a_second_run_is_told_who_has_the_folder_and_the_port(place: Place) -> None:
    with place.serving() as (run, _):
        second = place.run()
        assert second.ended() == 1
        assert second.log.startswith("AK4004 ")
        assert f"in use by process {run.process.pid} (" in second.log
        elsewhere = place.run(data=str(place.folder / "elsewhere"))
        assert elsewhere.ended() == 1
        assert f"AK5001 port {place.ports[0]} on 127.0.0.1 is taken" in elsewhere.log
        assert place.value("nobody") == 0, "the first one has not noticed"


def test_a_killed_run_leaves_nothing_and_the_next_starts_at_once(place: Place) -> None:
    with place.serving() as (run, serving):
        place.add("survivor", 7)
        pids = [*serving.pids.values(), *members(launch.scratch_folder(place.data))]
        assert len(set(pids)) > len(serving.pids), "agents and the spare host belong to it"
        run.process.kill()
        with place.serving() as (_, again):
            assert place.value("survivor") == 7
            assert not set(again.pids.values()) & set(pids)
        assert ends_within(pids, GONE_S_MAX) == []


def test_a_signal_drains_and_leaves_nothing(place: Place) -> None:
    with place.serving() as (run, _):
        scratch = launch.scratch_folder(place.data)
        run.process.send_signal(signal.SIGTERM)
        run.wait_for(said.Draining)
        assert run.wait_for(said.Stopped).drained
        assert run.ended() == 0
        assert members(scratch) == []
        assert not scratch.exists()
        assert run.log == "", "a run in which nothing happened has nothing to say"


@pytest.mark.parametrize("process", ["raylet", "gcs_server"])
def test_without_ray_it_ends_and_says_so(place: Place, process: str) -> None:
    with place.serving() as (run, serving):
        os.kill(serving.pids[process], signal.SIGKILL)
        assert run.ended() == launch.EXIT_WITHOUT_RAY
        assert f"AK5005 Ray's {process} process ended" in run.log
        assert ends_within(list(serving.pids.values()), GONE_S_MAX) == []


def test_hosts_that_keep_dying_are_given_up(place: Place) -> None:
    with place.serving() as (run, serving):
        host = serving.pids["host"]
        for _ in range(DEATHS_MAX - 1):
            os.kill(host, signal.SIGKILL)
            host = run.wait_for(said.Restarted).pid
        os.kill(host, signal.SIGKILL)
        assert run.wait_for(said.HostDied).deaths == DEATHS_MAX
        assert run.ended() == 1
        assert f"AK5004 {DEATHS_MAX} hosts died within 60 s" in run.log


def test_its_ray_is_for_the_token_alone_and_on_loopback(place: Place) -> None:
    with place.serving() as (_, serving):
        token = place.data / "ray-token"
        assert token.stat().st_mode & 0o777 == 0o600
        address = _gcs_address(serving.pids["gcs_server"])
        assert address.startswith("127.0.0.1:")
        for given, refused in ((token.read_text(), False), ("0" * 64, True)):
            environment = {**os.environ, **STRANGERS, "RAY_AUTH_TOKEN": given}
            stranger = subprocess.run(
                [sys.executable, "-c", STRANGER, address],
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
            assert (stranger.returncode != 0) is refused, stranger.stderr


def _gcs_address(gcs: int) -> str:
    """Where the process listens, of proc(5) net/tcp6."""
    inodes = {os.readlink(each) for each in Path(f"/proc/{gcs}/fd").iterdir()}
    for line in Path("/proc/net/tcp6").read_text().splitlines()[1:]:
        _, local, _, state, *rest = line.split()
        if state == "0A" and f"socket:[{rest[5]}]" in inodes:
            host, port = local.split(":")
            word = bytes.fromhex(host[24:])[::-1]
            return f"{'.'.join(str(byte) for byte in word)}:{int(port, 16)}"
    raise AssertionError("gcs_server listens nowhere")
