"""The examples pass mypy and pyright, strict; every wrong use is refused by both."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.typing.judge import CHECKERS, EXAMPLES, HERE, PATHS, cases_of, check, judge

WRONG = sorted((HERE / "wrong").glob("*.py"))
CASES_MIN = 162


@pytest.mark.timeout(300)
def test_examples_pass_both_checkers_and_have_the_promised_types(tmp_path: Path) -> None:
    findings = check(EXAMPLES.glob("*.py"), tmp_path)
    assert not findings, "\n".join(map(str, findings))


@pytest.mark.timeout(300)
def test_every_wrong_use_is_refused_by_both_checkers(tmp_path: Path) -> None:
    cases = [case for file in WRONG for case in cases_of(file)]
    assert len(cases) >= CASES_MIN
    caught, stray = judge(WRONG, tmp_path)
    missed = [
        f"{checker} lets through {case.file.name}:{case.line}: {case.name}"
        for checker in CHECKERS
        for case in cases
        if case not in caught[checker]
    ]
    assert not missed, "\n".join(missed)
    assert not stray, "\n".join(map(str, stray))


@pytest.mark.parametrize("module", sorted(file.stem for file in EXAMPLES.glob("*.py")))
def test_examples_can_be_imported(module: str) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, PATHS))}
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", f"import {module}"],
        capture_output=True,
        text=True,
        env=environment,
    )
    assert ran.returncode == 0, ran.stderr
