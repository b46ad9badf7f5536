"""What checkers say."""

from __future__ import annotations

import pytest

from actorkalix.testkit.checking.verdicts import Verdict, too_few


def test_what_was_judged_to_the_end_alone_is_ok() -> None:
    assert Verdict("r", "passed").ok
    others = Verdict("r", "found"), Verdict("r", "gave_up"), Verdict("r", "not_judged")
    assert not any(verdict.ok for verdict in others)


def test_too_few_is_a_finding_and_none_is_always_too_few() -> None:
    assert too_few("r", 3, 3) is None
    short = too_few("r", 2, 3)
    assert short is not None
    assert (short.outcome, short.looked_at) == ("found", 2)
    assert short.findings[0].text == "2 operations were judged; at least 3 are needed to pass"
    with pytest.raises(AssertionError, match="an empty history never passes"):
        too_few("r", 5, 0)
