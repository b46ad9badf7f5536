"""Every file of tests/invalid is one mistake: the message, the place, and nothing else is said.

A file says what it expects in lines `# expect: ...`; `# here` marks the lines that are named.
"""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from actorkalix.errors import DefinitionError

FILES = sorted((Path(__file__).parents[3] / "invalid").glob("*.py"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_refused(file: Path) -> None:
    """ES-01, ES-12, ES-14, RT-61, RT-62: refused, in these words, at these lines."""
    source = file.read_text()
    expected = [line[10:] for line in source.splitlines() if line.startswith("# expect: ")]
    marked = [at for at, line in enumerate(source.splitlines(), 1) if line.endswith("# here")]
    assert expected
    with pytest.raises(DefinitionError) as caught:
        runpy.run_path(str(file), run_name=f"invalid_{file.stem}")
    message = str(caught.value)
    for text in expected:
        assert text in message
    for line in marked:
        assert f"{file}:{line}: " in message
    if marked:
        named = {problem.split(": ", 1)[0] for problem in caught.value.problems}
        assert named == {f"{file}:{line}" for line in marked}


def test_there_are_files() -> None:
    assert len(FILES) > 60
