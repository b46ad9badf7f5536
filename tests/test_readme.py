"""The README's code runs, and what it points to is there."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PYTHON = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def code() -> str:
    """The Python blocks as one module, each on the lines where the README has it."""
    lines = [""] * (README.count("\n") + 1)
    for block in PYTHON.finditer(README):
        first = README.count("\n", 0, block.start(1))
        body = block[1].splitlines()
        lines[first : first + len(body)] = body
    return "\n".join(lines)


def test_code_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "readme_code.py"
    path.write_text(code(), encoding="utf-8")
    spec = importlib.util.spec_from_file_location("readme_code", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "readme_code", module)  # dataclasses look their module up
    spec.loader.exec_module(module)
    assert module.service.name == "bank"


def test_links_lead_somewhere() -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", README)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_scripts_are_there() -> None:
    named = set(re.findall(r"\bscripts/(\w+)", README))
    assert {"run", "test", "check", "bench"} <= named
    assert [name for name in named if not (ROOT / "scripts" / name).exists()] == []


def test_commands_exist() -> None:
    from actorkalix.cli.parser import COMMANDS

    named = set(re.findall(r"(?:^|`)actorkalix ([a-z-]+)\b", README, re.MULTILINE))
    assert named <= {command.name for command in COMMANDS}
    assert named >= {command.name for command in COMMANDS} - {"version"}
