"""What checks raise, in one line."""

from __future__ import annotations

import pytest

from actorkalix.testkit.caught import TEXT_CHARS_MAX, Caught, said_of


def raised(error: Exception) -> Exception:
    caught = Caught()
    with caught:
        raise error
    assert caught.error is error
    return error


@pytest.mark.parametrize(
    "error, text",
    [
        (AssertionError("two are missing\nand more"), "two are missing (test_caught.py:13)"),
        (AssertionError(), "raise error (test_caught.py:13)"),
        (KeyError("a"), "KeyError: 'a' (test_caught.py:13)"),
        (ValueError(), "ValueError (test_caught.py:13)"),
    ],
)
def test_it_says_what_and_where(error: Exception, text: str) -> None:
    assert said_of(raised(error)) == text


def test_an_error_that_nobody_raised() -> None:
    assert said_of(AssertionError()) == "an assertion fails"
    assert len(said_of(ValueError("x" * 999))) == TEXT_CHARS_MAX


def test_nothing_is_caught_where_nothing_is_raised_and_no_end_ever() -> None:
    caught = Caught()
    with caught:
        raise ValueError
    with caught:
        assert caught.error
    assert caught.error is None
    with pytest.raises(KeyboardInterrupt), caught:
        raise KeyboardInterrupt
