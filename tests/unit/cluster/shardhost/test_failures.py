"""What a host answers agrees with the pages that explain it."""

from __future__ import annotations

import pytest

from actorkalix.errors import HTTP_STATUS, catalog
from actorkalix_cluster.shardhost import failures
from actorkalix_cluster.shardhost.messages import Failure
from actorkalix_storage.api import Damaged

ALL = [
    failures.unknown_component("c"),
    failures.unexpected("cid"),
    failures.overloaded("full"),
    failures.draining(),
    failures.store_full(""),
    failures.owner_away(3),
    failures.host_away(),
    failures.store_fenced(1, "why"),
    failures.deadline_passed(),
    failures.not_committed("why"),
    failures.component_blocked("c"),
    failures.outcome_unknown("why"),
    failures.durability_lost("why"),
    failures.damaged(3, "why"),
    failures.bug("cid"),
]


@pytest.mark.parametrize("failure", ALL, ids=lambda failure: failure.number)
def test_code_status_and_outcome_are_those_of_the_page(failure: Failure) -> None:
    page = catalog()[failure.number]
    assert failure.code == page.code
    assert failure.outcome == page.outcome
    assert (failure.http_status or HTTP_STATUS[failure.code]) == page.http_status


def test_errors_of_the_store_keep_their_number() -> None:
    failure = failures.of_store(Damaged("record 3"))
    assert (failure.number, failure.message) == ("AK4001", "record 3")


def test_not_here_is_what_another_host_may_take() -> None:
    not_here = {failure.number for failure in ALL if failures.not_here(failure)}
    assert not_here == {"AK3002", "AK3004"}
    assert all(failure.outcome == "not_executed" for failure in ALL if failures.not_here(failure))
