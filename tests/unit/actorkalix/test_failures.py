"""Errors cross as failures and come back as what they were (ES-80, ES-81)."""

from __future__ import annotations

import pytest

from actorkalix.errors import ActorkalixError, CommandError, NotEncodable, Overloaded
from actorkalix.failures import error_of, failure_of
from actorkalix_cluster.shardhost.messages import Failure


class OutOfStock(CommandError):
    """A domain error of a service, with attributes of its own."""

    def __init__(self, left: int) -> None:
        super().__init__(f"{left} left", code="failed_precondition", details={"left": left})
        self.left = left


def there_and_back(error: ActorkalixError) -> ActorkalixError:
    return error_of(failure_of(error))


def test_a_domain_error_comes_back_in_its_own_class_with_its_fields() -> None:
    back = there_and_back(OutOfStock(3))
    assert isinstance(back, OutOfStock)
    assert (back.left, back.message, back.code) == (3, "3 left", "failed_precondition")
    assert back.details == {"left": 3}
    assert str(back) == "3 left"


def test_a_plain_command_error_carries_no_class_and_no_fields() -> None:
    failure = failure_of(CommandError("no", details=None))
    assert (failure.type, failure.fields, failure.details) == ("", b"", b"")
    assert type(error_of(failure)) is CommandError


def test_details_that_are_null_are_no_details() -> None:
    back = there_and_back(CommandError("no", code="not_found"))
    assert isinstance(back, CommandError)
    assert back.details is None
    assert back.http_status == 404


def test_advice_to_wait_and_outcome_cross() -> None:
    error = Overloaded("full")
    error.retry_after_ms = 250
    error.outcome = "unknown"
    back = there_and_back(error)
    assert type(back) is Overloaded
    assert (back.retry_after_ms, back.outcome, back.code) == (250, "unknown", "unavailable")


def test_the_status_is_named_where_the_code_says_another() -> None:
    assert failure_of(CommandError("no", code="not_found")).http_status == 0
    unusual = CommandError("no")
    unusual.http_status = 418
    assert failure_of(unusual).http_status == 418


def test_a_number_that_is_not_known_here_is_an_error_all_the_same() -> None:
    back = error_of(Failure("AK7777", "aborted", "from a later version"))
    assert type(back) is ActorkalixError
    assert (back.code, str(back)) == ("aborted", "from a later version")


@pytest.mark.parametrize("details", [object(), {1j: 2}])
def test_details_without_a_form_in_json_are_named(details: object) -> None:
    with pytest.raises(NotEncodable, match="what an error carries has no form in JSON"):
        failure_of(CommandError("no", details=details))


def test_fields_without_a_form_in_json_are_named() -> None:
    error = OutOfStock(3)
    vars(error)["socket"] = object()
    with pytest.raises(NotEncodable, match="what an error carries has no form in JSON"):
        failure_of(error)
