"""What the user's own checks raise, caught and put into words: it is a finding, not an end."""

from __future__ import annotations

import traceback
from types import TracebackType

TEXT_CHARS_MAX = 300


class Caught:
    """A block whose exceptions are kept: `with caught: ...`, then look at `caught.error`.

    Attributes:
        error: that was raised in the block, or None.
    """

    def __init__(self) -> None:
        self.error: Exception | None = None

    def __enter__(self) -> Caught:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        self.error = error if isinstance(error, Exception) else None
        return self.error is not None


def said_of(error: Exception) -> str:
    """What an exception says, in one line, and where it was raised.

    Of an assertion that is its message, or what it asserts if it has none.
    """
    frames = traceback.extract_tb(error.__traceback__)
    place = frames[-1] if frames else None
    lines = str(error).strip().splitlines()
    said = lines[0].strip() if lines else ""
    if not isinstance(error, AssertionError):
        said = f"{type(error).__name__}: {said}" if said else type(error).__name__
    elif not said:
        said = place.line if place and place.line else "an assertion fails"
    if len(said) > TEXT_CHARS_MAX:
        said = f"{said[: TEXT_CHARS_MAX - 1]}…"
    if place is None:
        return said
    file = place.filename.replace("\\", "/").rpartition("/")[2]
    return f"{said} ({file}:{place.lineno})"
