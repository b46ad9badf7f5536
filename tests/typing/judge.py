"""Runs mypy and pyright, strict, over examples and over files of wrong uses.

A wrong use stands below a line `# case: what is wrong`; it is caught when a checker reports an
error between that line (or a decorator just above it) and the next case.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
EXAMPLES = HERE / "examples"
PATHS = [ROOT, ROOT / "cluster", ROOT / "storage", EXAMPLES]
CHECKERS = ("mypy", "pyright")


@dataclass(frozen=True)
class Finding:
    """An error of a checker."""

    checker: str
    file: Path
    line: int
    message: str


@dataclass(frozen=True)
class Case:
    """A wrong use."""

    file: Path
    line: int
    name: str


def check(files: Iterable[Path], scratch: Path) -> list[Finding]:
    """All errors that the two checkers find in these files (in what they import, nobody looks)."""
    wanted = sorted(files)
    return [*mypy(wanted, scratch), *pyright(wanted, scratch)]


def mypy(files: Sequence[Path], scratch: Path) -> list[Finding]:
    command = [
        *(sys.executable, "-m", "mypy", "--config-file=", "--python-version=3.11", "--strict"),
        *("--disable-error-code=empty-body", "--follow-imports=silent", "--no-error-summary"),
        *("--show-absolute-path", f"--cache-dir={scratch / 'mypy'}", *map(str, files)),
    ]
    environment = {**os.environ, "MYPYPATH": os.pathsep.join(map(str, PATHS))}
    ran = subprocess.run(command, capture_output=True, text=True, cwd=scratch, env=environment)
    assert ran.returncode in (0, 1), ran.stdout + ran.stderr
    found: list[Finding] = []
    for line in ran.stdout.splitlines():
        parts = re.match(r"(.*?):(\d+): error: (.*)", line)
        if parts:
            found.append(Finding("mypy", Path(parts[1]), int(parts[2]), parts[3]))
    return found


def pyright(files: Sequence[Path], scratch: Path) -> list[Finding]:
    config = scratch / "pyrightconfig.json"
    paths = [str(path) for path in PATHS]
    config.write_text(json.dumps({"typeCheckingMode": "strict", "extraPaths": paths}))
    command = [
        *(sys.executable, "-m", "pyright", "-p", str(config), "--pythonpath", sys.executable),
        *("--pythonversion", "3.11", "--outputjson", *map(str, files)),
    ]
    environment = {**os.environ, "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"}  # of newer versions
    ran = subprocess.run(command, capture_output=True, text=True, cwd=scratch, env=environment)
    assert ran.returncode in (0, 1), ran.stdout + ran.stderr
    report = json.loads(ran.stdout)
    assert report["summary"]["filesAnalyzed"] == len(files), report["summary"]
    return [
        Finding(
            "pyright",
            Path(found["file"]),
            found["range"]["start"]["line"] + 1,
            f"{found['message']} [{found.get('rule', '')}]",
        )
        for found in report["generalDiagnostics"]
        if found["severity"] == "error"
    ]


def cases_of(file: Path) -> list[Case]:
    """The cases of a file, in order."""
    marked = (line.partition("# case:") for line in file.read_text().splitlines())
    return [
        Case(file, number, name.strip()) for number, (_, mark, name) in enumerate(marked, 1) if mark
    ]


def judge(files: Iterable[Path], scratch: Path) -> tuple[dict[str, set[Case]], list[Finding]]:
    """The cases that each checker caught, and the errors that belong to no case."""
    cases: dict[Path, list[Case]] = {}
    text: dict[Path, list[str]] = {}
    for file in files:
        cases[file], text[file] = cases_of(file), file.read_text().splitlines()
    caught: dict[str, set[Case]] = {checker: set() for checker in CHECKERS}
    stray: list[Finding] = []
    for finding in check(cases, scratch):
        line = finding.line
        if text[finding.file][line - 1].strip().startswith("@"):
            line += 1  # the decorator just above a case belongs to it
        here = [case for case in cases[finding.file] if case.line <= line]
        if here:
            caught[finding.checker].add(here[-1])
        else:
            stray.append(finding)
    return caught, stray
