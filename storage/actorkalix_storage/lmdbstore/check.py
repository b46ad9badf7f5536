"""The child process of a check: `python -m actorkalix_storage.lmdbstore.check <check> <folder>`.

Writes `Findings` as JSON. Pages are checked first by py-lmdb's verifier, which reads the file
without mapping it; only then is the file given to LMDB.
"""

from __future__ import annotations

import sys
from pathlib import Path

import lmdb
import lmdb.verify
import msgspec

from actorkalix_storage.api import Damaged, StoreError

from .child import Check, Findings
from .environment import Environment
from .fold import Report
from .log import frames, log_rows
from .opening import identity_row, read_basis
from .verification import verify_rows


def check_folder(folder: Path, check: Check) -> Findings:
    """Check a folder in this process, which may die of it."""
    report = Report()
    if check is Check.FULL:
        _verify_pages(folder, report)
        if report.fatal:
            return report.findings()
    try:
        environment = Environment(folder, readonly=True, lock=check is Check.LIVE)
        rows = environment.read()
        if check is Check.TAIL:
            identity_row(environment, folder)
            _verify_tail(rows, report)
        else:
            verify_rows(rows, report)
        rows.abort()
        environment.close()
    except (StoreError, lmdb.Error) as error:
        report.add(str(error), fatal=True)
    return report.findings()


def _verify_pages(folder: Path, report: Report) -> None:
    try:
        # py-lmdb ships this module without annotations.
        problems: list[str] = lmdb.verify.verify(str(folder))  # type: ignore[no-untyped-call]
    except (lmdb.verify.VerifyError, OSError) as error:
        problems = [str(error)]
    for problem in problems:
        report.add(f"pages: {problem}", fatal=True)


def _verify_tail(rows: lmdb.Transaction[memoryview], report: Report) -> None:
    basis = read_basis(rows)
    for sequence, row in log_rows(rows, basis.mark.sequence):
        report.rows += 1
        try:
            for frame in frames(row, sequence):
                report.records += 1
                if frame.damage:
                    report.add(frame.damage)
        except Damaged as error:
            report.add(str(error), fatal=True)


if __name__ == "__main__":
    findings = check_folder(Path(sys.argv[2]), Check(sys.argv[1]))
    sys.stdout.buffer.write(msgspec.json.encode(findings))
