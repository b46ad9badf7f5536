"""The scripts work from any folder, in paths with spaces, and set up once."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
SCRIPTS = ("run", "test", "check", "bench", "wheel_smoke")

# Stands for any Python: says what it was asked to do, makes a venv of itself, has pip and all else.
FAKE_PYTHON = """#!/bin/sh
echo "$@" >>"$CALLS"
case "$*" in
*ensurepip*) exit 1 ;;
"-m venv --clear "*) mkdir -p "$4/bin" && cp "$0" "$4/bin/python" ;;
"-m pip "*) [ -z "${PIP_FAILS:-}" ] ;;
"-m ${FAILS:-nothing}"*) exit 1 ;;
esac
"""


class Clone:
    """The scripts in a folder with a blank in its name, and a Python that only listens."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "a clone"
        self.elsewhere = folder / "elsewhere"
        self.elsewhere.mkdir()
        self.calls_file = folder / "calls"
        self.python = folder / "python"
        self.python.write_text(FAKE_PYTHON, encoding="utf-8")
        self.python.chmod(0o755)
        shutil.copytree(ROOT / "scripts", self.root / "scripts")
        shutil.copy(ROOT / "pyproject.toml", self.root)

    def run(self, script: str, *arguments: str, **environment: str) -> tuple[int, list[str]]:
        """Runs a script from another folder, without a home: exit code, what Python was asked."""
        self.calls_file.write_text("", encoding="utf-8")
        done = subprocess.run(
            [self.root / "scripts" / script, *arguments],
            cwd=self.elsewhere,
            env={
                "PATH": os.environ["PATH"],
                "HOME": "/nonexistent",
                "PYTHON": str(self.python),
                "CALLS": str(self.calls_file),
                **environment,
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
        return done.returncode, self.calls_file.read_text(encoding="utf-8").splitlines()


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return Clone(tmp_path)


@pytest.mark.parametrize("script", SCRIPTS)
def test_scripts_are_short_and_plain_sh(script: str) -> None:
    path = ROOT / "scripts" / script
    lines = path.read_text(encoding="utf-8").splitlines()
    assert lines[0] == "#!/bin/sh"
    assert len(lines) <= 16
    assert os.access(path, os.X_OK)
    subprocess.run(["sh", "-n", path], check=True, timeout=10)


def test_first_use_sets_up_and_the_next_goes_ahead(clone: Clone) -> None:
    code, calls = clone.run("test", "-k", "cart")
    assert code == 0
    assert any(call.startswith("-m venv") for call in calls)
    assert any(f"install --editable {clone.root}[dev]" in call for call in calls)
    assert calls[-1] == "-m pytest -k cart"
    code, calls = clone.run("test", "tests/unit")
    assert calls == ["-c ", "-m pytest tests/unit"]


def test_all_tests_are_every_folder_of_them_once(clone: Clone) -> None:
    clone.run("test")
    code, calls = clone.run("test")
    assert code == 0
    asked = [call.removeprefix("-m pytest ").split() for call in calls[1:]]
    rest = next(words for words in asked if words[0] == "tests")
    named = [word for words in asked if words is not rest for word in words]
    assert sorted(word.removeprefix("--ignore=") for word in rest[1:]) == sorted(named)
    assert all((ROOT / folder).is_dir() for folder in named)


@pytest.mark.parametrize("part", ["tests/property", "tests --ignore", "tests/sim"])
def test_one_part_that_fails_fails_all_tests(clone: Clone, part: str) -> None:
    code, calls = clone.run("test", FAILS=f"pytest {part}")
    assert code != 0
    assert len([call for call in calls if call.startswith("-m pytest")]) == 3, "the others ran"


@pytest.mark.parametrize("step", ["mypy", "pyright", "ruff format", "pytest"])
def test_one_step_that_fails_fails_the_check(clone: Clone, step: str) -> None:
    assert clone.run("check")[0] == 0
    code, calls = clone.run("check", FAILS=step)
    assert code != 0
    assert {"-m mypy", "-m pyright", "-m ruff check ."} <= {*calls}


def test_run_needs_no_tools_and_is_content_with_a_venv_that_has_them(clone: Clone) -> None:
    _, calls = clone.run("run", "--once")
    assert any(call.endswith(f"install --editable {clone.root}") for call in calls)
    assert calls[-1] == "-P -m examples.loyalty --once"
    clone.run("test")
    _, calls = clone.run("run")
    assert calls == ["-c ", "-P -m examples.loyalty"]


def test_a_changed_pyproject_installs_again(clone: Clone) -> None:
    clone.run("run")
    with (clone.root / "pyproject.toml").open("a", encoding="utf-8") as file:
        file.write("# changed\n")
    _, calls = clone.run("run")
    assert any("install --editable" in call for call in calls)
    assert not any(call.startswith("-m venv") for call in calls)


def test_a_failed_set_up_is_tried_again(clone: Clone) -> None:
    code, calls = clone.run("run", PIP_FAILS="1")
    assert code != 0
    assert "-P -m examples.loyalty" not in calls
    code, calls = clone.run("run")
    assert code == 0
    assert calls[-1] == "-P -m examples.loyalty"
