"""What a run refuses before it starts anything."""

from __future__ import annotations

import socket
from pathlib import Path

import msgspec
import pytest

from actorkalix import errors
from actorkalix.runtime import serve
from actorkalix.runtime.config import RunConfig, RunEvent
from actorkalix_cluster.rayhost.events import Ending

SERVICE = """
from actorkalix import Effect, Service, ValueEntity, command

class Note(ValueEntity[str], id="note"):
    def empty_state(self) -> str:
        return ""

    @command
    def write(self, text: str) -> Effect[None]:
        return self.effects.update_state(text).then_reply(None)

service = Service("notes", components=[Note])
"""


def config(folder: Path, module: str, **changes: object) -> RunConfig:
    """Of a service in a folder, under a module name of its own."""
    file = folder / f"{module}.py"
    file.write_text(SERVICE)
    usual = {"service": f"{file}:service", "port": 0, "admin_port": 0}
    return msgspec.convert({**usual, **changes}, RunConfig)


def never(event: RunEvent) -> None:
    """Where nothing is started, nothing is told."""
    pytest.fail(f"told {event}")


def test_beyond_loopback_a_service_says_who_may_call_it(tmp_path: Path) -> None:
    with pytest.raises(errors.AccessNotDeclared, match=r"acl=allow_all"):
        serve.run(config(tmp_path, "serve_test_acl", address="0.0.0.0"), never)
    assert not (tmp_path / ".actorkalix").exists()


def test_a_taken_port_is_said_at_once_and_the_folder_is_free_again(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        for option in ("port", "admin_port"):
            with pytest.raises(errors.PortTaken, match=f"port {port} "):
                serve.run(config(tmp_path, "serve_test_port", **{option: port}), never)


def test_a_folder_that_is_a_file(tmp_path: Path) -> None:
    unusable = tmp_path / "file"
    unusable.touch()
    with pytest.raises(errors.FolderUnusable, match="is not a folder"):
        serve.run(config(tmp_path, "serve_test_folder", data=str(unusable)), never)


def test_a_service_that_cannot_be_imported(tmp_path: Path) -> None:
    with pytest.raises(errors.ServiceNotLoaded, match="there is no file"):
        serve.run(RunConfig(service=str(tmp_path / "nowhere.py")), never)


@pytest.mark.parametrize(
    "address, loopback",
    [
        ("127.0.0.1", True),
        ("127.1.2.3", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.0.2.7", False),
    ],
)
def test_what_only_this_machine_can_reach(address: str, loopback: bool) -> None:
    assert serve.is_loopback(address) is loopback


@pytest.mark.parametrize(
    "ending, error",
    [
        (Ending("ray", "Ray's raylet process ended"), errors.RayFailed),
        (Ending("dying", "5 hosts died"), errors.HostKeepsDying),
        (Ending("refused", "a copy", "AK4003"), errors.ForeignFolder),
        (Ending("refused", "ValueError: x"), errors.InternalError),
    ],
)
def test_endings_become_errors_with_a_page(
    ending: Ending, error: type[errors.ActorkalixError]
) -> None:
    raised = serve._error_of(ending)
    assert type(raised) is error
    assert str(raised) == ending.message
