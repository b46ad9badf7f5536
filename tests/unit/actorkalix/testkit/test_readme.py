"""The test kits' README: its code runs, and what it shows is what comes out."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from actorkalix.cli.parser import COMMANDS, parse

ROOT = Path(__file__).parents[4]
README = (ROOT / "actorkalix" / "testkit" / "README.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
PLUGIN = "actorkalix.testkit.pytest_plugin"


def blocks(language: str) -> list[str]:
    return [block[2] for block in BLOCK.finditer(README) if block[1] == language]


def files() -> dict[str, str]:
    """The Python blocks by what their first lines say that they are."""
    found: dict[str, str] = {}
    for block in blocks("python"):
        first, _, _ = block.partition("\n")
        assert first.startswith("# "), f"a block says which file it is: {first}"
        found[first.removeprefix("# ")] = block
    return found


def mended() -> str:
    """The service with the new `sell`."""
    wrong = files()["tickets.py"]
    _, _, new = files()["tickets.py, the new `sell`"].partition("\n")
    old = re.search(r"    @command\n.*?\n\n", wrong, re.DOTALL)
    assert old is not None
    return wrong.replace(old[0], f"{new}\n")


def run(folder: Path, *words: str) -> str:
    """What a module says; it ends well, or fails tests."""
    paths = os.pathsep.join(str(ROOT / part) for part in (".", "cluster", "storage"))
    environment = {**os.environ, "PYTHONPATH": paths, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    ran = subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
        env={**environment, "PYTEST_ADDOPTS": ""},
    )
    assert ran.returncode in (0, 1), ran.stderr
    return ran.stdout + ran.stderr


def said_by_pytest(folder: Path, file: str) -> str:
    options = ("-p", "no:cacheprovider", "--actorkalix-seed", "1", "-q")
    return run(folder, "-m", "pytest", "-p", PLUGIN, *options, file)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """All files of the README, with the mended service."""
    for name, text in files().items():
        if "," not in name:
            (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "tickets.py").write_text(mended(), encoding="utf-8")
    return tmp_path


def story(text: str) -> list[str]:
    """A failure without what differs from time to time: times, who was first, and the plan."""
    lines = [line.removeprefix("E").strip() for line in text.splitlines()]
    first = next(n for n, line in enumerate(lines) if "never_oversold: show" in line)
    last = next(n for n, line in enumerate(lines) if "repeat it with: " in line)
    told = [line[max(0, line.find("never_oversold:")) :] for line in lines[first:last]]
    told = [re.sub(r"\bc\d\b", "c", re.sub(r"at [\d.]+ ms", "at", line)) for line in told]
    return [*told[:-4], *sorted(re.sub(r"operation \d+", "", line) for line in told[-4:])]


def test_the_race_is_found_and_told_as_it_says(folder: Path) -> None:
    (folder / "tickets.py").write_text(files()["tickets.py"], encoding="utf-8")
    said = said_by_pytest(folder, "test_tickets.py")
    assert "1 failed" in said
    assert story(said) == story(blocks("text")[0])


def test_the_mended_service_passes(folder: Path) -> None:
    assert "1 passed" in said_by_pytest(folder, "test_tickets.py")


@pytest.mark.parametrize("name", ["nightly.py", "money.py", "recorded.py", "sold.py"])
def test_programs_run(folder: Path, name: str) -> None:
    said = run(folder, name)
    assert "Traceback" not in said
    assert ("operations" in said) == (name == "nightly.py")


def test_the_fixture(folder: Path) -> None:
    assert "1 passed" in said_by_pytest(folder, "test_nightly.py")


def test_the_scenario(folder: Path) -> None:
    (text,) = blocks("toml")
    (folder / "hamlet.toml").write_text(text, encoding="utf-8")
    said = run(folder, "-m", "actorkalix", "simulate", "--scenario", "hamlet.toml")
    assert said.startswith("passed tickets: seeds 0 to 2")


def test_commands_are_such() -> None:
    for line in "".join(blocks("sh")).splitlines():
        command, *words = line.partition("    ")[0].split()
        if command == "actorkalix":
            assert parse(words).command in {each.name for each in COMMANDS}
        else:
            assert command == "pytest"


def test_names_are_exported() -> None:
    from actorkalix import testkit

    table = README[: README.index("## Find")]
    named = set(re.findall(r"`@?(\w+)(?=[`(])", table)) - {"actorkalix"}
    assert {"simulate", "concurrent", "Recorder", "linearizable", "EntityTestKit"} <= named
    assert [name for name in named if not hasattr(testkit, name)] == []
