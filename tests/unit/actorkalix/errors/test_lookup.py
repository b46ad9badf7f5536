"""From numbers and names back to classes."""

from __future__ import annotations

from actorkalix.errors import (
    ActorkalixError,
    CommandError,
    InvalidPayload,
    OutcomeUnknown,
    catalog,
    revive,
)
from actorkalix.errors.lookup import family_of_command_errors


class Refused(CommandError):
    """A domain error."""


class RefusedForGood(Refused):
    """A domain error below another."""

    reason: str


def test_the_catalog_is_in_order_and_each_number_is_one_error() -> None:
    errors = catalog()
    assert list(errors) == sorted(errors)
    assert all(cls.number == number for number, cls in errors.items())
    assert errors["AK2001"] is CommandError
    assert errors["AK0000"] is ActorkalixError


def test_errors_of_services_are_not_in_the_catalog() -> None:
    assert Refused.number == CommandError.number
    assert Refused not in catalog().values()


def test_every_error_says_what_to_do() -> None:
    assert [
        number for number, cls in catalog().items() if "What to do:" not in (cls.__doc__ or "")
    ] == []


def test_the_family_of_domain_errors_reaches_all_generations() -> None:
    family = family_of_command_errors()
    assert family["CommandError"] is CommandError
    assert family["RefusedForGood"] is RefusedForGood


def test_a_domain_error_is_revived_without_its_constructor() -> None:
    error = revive(
        "AK2001",
        "no",
        code="not_found",
        details=[1],
        type_name="RefusedForGood",
        fields={"reason": "spent"},
    )
    assert isinstance(error, RefusedForGood)
    assert (error.reason, error.message, error.details) == ("spent", "no", [1])
    assert error.http_status == 404


def test_a_class_that_is_no_domain_error_here_is_refused() -> None:
    """ES-81: the name came over a wire."""
    error = revive("AK2001", "no", code="aborted", type_name="Popen", fields={"reason": "spent"})
    assert type(error) is CommandError
    assert not hasattr(error, "reason")


def test_other_errors_are_revived_by_number() -> None:
    assert type(revive("AK2002", "no", code="invalid_argument")) is InvalidPayload
    late = revive("AK3101", "late", code="deadline_exceeded", outcome="unknown")
    assert isinstance(late, OutcomeUnknown)
    assert late.outcome == "unknown"
