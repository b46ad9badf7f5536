"""Each error of the store says its page and whether anything was executed."""

from __future__ import annotations

from actorkalix_storage.api import AppendRefused, DurabilityLost, RefusalKind, Refused, StoreError


def test_numbers_and_outcomes() -> None:
    errors = StoreError.__subclasses__()
    assert {error.outcome for error in errors if error is not DurabilityLost} == {"not_executed"}
    assert DurabilityLost.outcome == "unknown"
    pages = [error.number for error in errors if error is not AppendRefused]
    assert len(set(pages)) == len(pages)
    assert all(page.startswith("AK") for page in pages)


def test_a_refused_append_carries_the_refusal() -> None:
    refused = Refused(RefusalKind.SEALED, "shard 1 is sealed")
    error = AppendRefused(refused)
    assert error.refused is refused
    assert str(error) == "shard 1 is sealed"
