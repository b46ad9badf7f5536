"""What is prepared before Ray is started: folders, environment, import paths."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import actorkalix_cluster
from actorkalix_cluster.rayhost import launch, reaper

UNIX_PATH_MAX = 107
SESSION = "session_2026-12-31_23-59-59_999999_4194304"
RAY_LONGEST = f"/{launch.RAY_FOLDER}/{SESSION}/sockets/plasma_store"


def test_the_scratch_folder_is_short_private_and_stays_the_same(tmp_path: Path) -> None:
    data = tmp_path / ("long" * 60) / "data"
    folder = launch.scratch_folder(data)
    try:
        assert len(f"{folder}{RAY_LONGEST}") <= UNIX_PATH_MAX
        assert folder.stat().st_mode & 0o777 == 0o700
        assert launch.scratch_folder(data) == folder
    finally:
        folder.rmdir()


def test_a_scratch_folder_that_is_something_else_is_refused(tmp_path: Path) -> None:
    folder = launch.scratch_folder(tmp_path)
    folder.rmdir()
    folder.symlink_to(tmp_path)
    try:
        with pytest.raises(PermissionError, match="another user"):
            launch.scratch_folder(tmp_path)
    finally:
        folder.unlink()


def test_children_get_our_variables_and_none_of_the_callers_ray(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.1:6379")
    monkeypatch.setenv("RAY_AUTH_TOKEN", "somebody else's")
    monkeypatch.setenv("PYTHONPATH", "theirs")
    options = launch.RayOptions(tmp_path, tmp_path / "token", python_path=("ours",))
    before = dict(os.environ)
    with launch._environment(launch._variables(options)):
        assert "RAY_ADDRESS" not in os.environ
        assert "RAY_AUTH_TOKEN" not in os.environ
        assert os.environ["RAY_AUTH_TOKEN_PATH"] == str(tmp_path / "token")
        assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"
        assert os.environ["PYTHONPATH"] == os.pathsep.join(["ours", "theirs"])
        assert os.environ[reaper.MARK] == str(tmp_path)
    assert dict(os.environ) == before


def test_only_packages_that_are_not_installed_need_a_path() -> None:
    root = str(Path(actorkalix_cluster.__file__).resolve().parents[1])
    assert launch.python_path(actorkalix_cluster) in ((root,), ())
    assert launch.python_path(pytest) == ()


def test_the_working_folder_is_kept_from_the_host_unless_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["/opt/bin/actorkalix"])
    monkeypatch.delenv("PYTHONPATH", raising=False)
    options = launch.RayOptions(tmp_path, tmp_path)
    assert set(launch.unwanted_paths(options)) == {str(tmp_path), "/opt/bin"}
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert launch.unwanted_paths(options) == ("/opt/bin",)


def test_old_sessions_go_and_the_newest_stay(tmp_path: Path) -> None:
    for day in range(1, 6):
        session = tmp_path / launch.RAY_FOLDER / f"session_2026-01-0{day}_00-00-00_0_1"
        session.mkdir(parents=True)
        os.utime(session, (day, day))
    (tmp_path / "last-words.17").touch()
    (tmp_path / "member.17").touch()
    (tmp_path / "fleet").touch()
    launch.forget(tmp_path)
    kept = [path.name[:18] for path in (tmp_path / launch.RAY_FOLDER).iterdir()]
    assert sorted(kept) == ["session_2026-01-04", "session_2026-01-05"]
    assert [path.name for path in tmp_path.iterdir()] == [launch.RAY_FOLDER]


def test_children_are_found_by_name() -> None:
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert dict(launch._children())[child.pid] in ("cat", "python", "coreutils")
