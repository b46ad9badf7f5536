"""What is refused before a Ray of others is touched; joining one for real is in tests/ray."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from actorkalix_cluster.rayhost import join
from actorkalix_cluster.rayhost.launch import RayNotStarted


def test_addresses_of_ray_client_are_refused_by_name(tmp_path: Path) -> None:
    with (
        pytest.raises(RayNotStarted, match=r"ray://head:10001 is an address of Ray Client"),
        join.joined_ray("ray://head:10001", tmp_path),
    ):
        pytest.fail("joined")


@pytest.mark.parametrize(
    "address, why",
    [
        ("head", "`auto`, or host:port"),
        ("127.0.0.1:gcs", "`auto`, or host:port"),
        ("127.0.0.1:1", "nobody answers at 127.0.0.1:1: Connection refused"),
    ],
)
def test_where_no_ray_is_is_said_at_once(tmp_path: Path, address: str, why: str) -> None:
    with pytest.raises(RayNotStarted, match=why), join.joined_ray(address, tmp_path):
        pytest.fail("joined")


def test_one_of_the_nodes_is_this_machine() -> None:
    here = {"NodeID": "a", "NodeManagerHostname": socket.gethostname()}
    there = {"NodeID": "b", "NodeManagerHostname": "elsewhere"}
    join._check_node([there, here], "a")
    with pytest.raises(RayNotStarted, match="the cluster's node is elsewhere"):
        join._check_node([there, here], "b")


def test_the_raylet_is_found_by_its_socket() -> None:
    with pytest.raises(RayNotStarted, match="does not run on this machine"):
        join._raylet(f"/nowhere/{os.getpid()}")
