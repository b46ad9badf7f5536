"""Branches: what is waited for, and what becomes of one that fails."""

from __future__ import annotations

from typing import Any

import pytest

from actorkalix import Calls, CommandError, branch, failover_to, max_retries
from actorkalix.model.parallel import Otherwise, branches_of

from .shop import Shop

shop = Calls().entity(Shop, "s")


def test_a_branch_takes_its_call_over() -> None:
    call = shop.add("pen")
    made = branch(call, recover=max_retries(2, final=(CommandError,)), otherwise=0)
    assert (made.request.method, made.retries, made.final) == ("add", 2, (CommandError,))
    assert made.otherwise == Otherwise(0)
    with pytest.raises(RuntimeError, match="already handed to branch"):
        branch(call)


def test_a_plain_call_is_a_branch_without_a_second_attempt() -> None:
    (made,) = branches_of((shop.add("pen"),), "all")
    assert (made.retries, made.otherwise) == (0, None)


def test_none_may_stand_for_a_reply() -> None:
    value: Any = None
    made = branch(shop.add("pen"), otherwise=value)
    assert made.otherwise == Otherwise(None)


@pytest.mark.parametrize("wait", [0, 3, "some", True, 1.0])
def test_what_is_waited_for_has_to_be_there(wait: Any) -> None:
    with pytest.raises(ValueError, match="a number from 1 to 2"):
        branches_of((shop.add("a"), shop.add("b")), wait)


def test_what_is_no_branch_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one call"):
        branches_of((), "all")
    wrong: Any = "add"
    with pytest.raises(TypeError, match="takes unsent calls"):
        branches_of((wrong,), "all")
    call = shop.add("pen")
    with pytest.raises(ValueError, match="goes on with no step"):
        branch(call, recover=failover_to("a"))
