"""What goes to which worker: slots, batches, depths, and what is sent again (architecture 16)."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from actorkalix_cluster.rayhost.batching import (
    ALONE_MS,
    BUDGET_MS,
    QUICK_RUNS,
    SENDS_MAX,
    Batch,
    Batching,
    Item,
    Lost,
    Outcome,
)

QUEUE_MAX = 100
DEPTH_MAX = 8


def batching(slots: int = 2, queue_max: int = QUEUE_MAX) -> Batching:
    return Batching(slots, queue_max, DEPTH_MAX)


def item(work: bytes = b"", method: str = "m", depth: int = 0, retries: int = 0) -> Item:
    def tell(outcome: Outcome) -> None:
        """Nobody listens here."""

    return Item(work, method, depth, tell, retries)


def put(core: Batching, count: int, method: str = "m", depth: int = 0) -> list[Item]:
    items = [item(b"%d" % number, method, depth) for number in range(count)]
    for each in items:
        assert core.put(each)
    return items


def sent(core: Batching) -> Batch:
    batch = core.next()
    assert batch is not None
    return batch


def end(core: Batching, batch: Batch, took_ms: float = 0.1) -> None:
    for place in list(batch.open):
        answered = core.answered(batch, place)
        assert answered is not None
        core.measured(answered.method, took_ms)
    core.ended(batch)


def works(batch: Batch) -> list[bytes]:
    return [each.work for each in batch.items]


def test_while_a_slot_is_free_each_call_goes_alone_and_at_once() -> None:
    core = batching(slots=3)
    core.measured("m", 0.01)
    put(core, 3)
    assert [works(sent(core)) for _ in range(3)] == [[b"0"], [b"1"], [b"2"]]
    assert core.next() is None
    assert (core.busy, core.waiting) == (3, 0)


def test_a_slot_that_becomes_free_takes_those_that_wait_in_order() -> None:
    core = batching(slots=2)
    core.measured("m", 0.01)
    put(core, 2)
    first, second = sent(core), sent(core)
    put(core, 5)
    end(core, first)
    assert works(sent(core)) == [b"0", b"1", b"2", b"3", b"4"]
    put(core, 1, "later")
    end(core, second)
    assert [each.method for each in sent(core).items] == ["later"]
    assert core.waiting == 0


def test_a_batch_holds_what_takes_five_milliseconds() -> None:
    core = batching(slots=1)
    core.measured("m", 1.0)
    put(core, 20)
    end(core, sent(core), 1.0)
    assert len(sent(core).items) == BUDGET_MS


def test_a_method_that_nobody_has_seen_run_goes_alone() -> None:
    core = batching(slots=1)
    put(core, 3)
    assert len(sent(core).items) == 1


def test_the_average_follows_what_a_method_takes() -> None:
    core = batching(slots=1)
    core.measured("m", 4.0)
    for _ in range(40):
        core.measured("m", 0.1)
    put(core, 30)
    assert len(sent(core).items) == 30


def test_one_run_that_had_to_wait_for_a_core_hardly_counts() -> None:
    core = batching(slots=1)
    core.measured("m", 0.05)
    core.measured("m", 30.0)
    put(core, 30)
    assert len(sent(core).items) == 30


def test_a_method_that_takes_longer_from_now_on_is_soon_seen() -> None:
    core = batching(slots=1)
    core.measured("m", 0.05)
    for _ in range(12):
        core.measured("m", 4.0)
    put(core, 30)
    assert len(sent(core).items) == 1


def test_a_method_that_took_long_goes_alone_until_it_was_quick_many_times() -> None:
    core = batching(slots=1)
    core.measured("m", ALONE_MS)
    for _ in range(QUICK_RUNS - 1):
        core.measured("m", 0.01)
    put(core, 10)
    batch = sent(core)
    assert len(batch.items) == 1
    end(core, batch)
    assert len(sent(core).items) == 9


def test_a_slow_method_is_no_part_of_another_ones_batch() -> None:
    core = batching(slots=1)
    core.measured("quick", 0.1)
    core.measured("slow", 60.0)
    core.measured("slow", 40.0)
    put(core, 1, "quick")
    running = sent(core)
    put(core, 2, "quick")
    put(core, 1, "slow")
    put(core, 2, "quick")
    end(core, running)
    assert [each.method for each in sent(core).items] == ["quick", "quick"]


def test_each_depth_has_a_slot_of_its_own_so_nesting_ends() -> None:
    core = batching(slots=1)
    running = list[Batch]()
    for depth in range(DEPTH_MAX + 1):
        put(core, 2, depth=depth)
        running.append(sent(core))
        assert core.next() is None, "one waits at each depth"
    assert core.waiting == DEPTH_MAX + 1
    for batch in reversed(running):
        end(core, batch)
    for _ in range(DEPTH_MAX + 1):
        end(core, sent(core))
    assert (core.waiting, core.busy) == (0, 0)


def test_the_deepest_goes_first_and_a_batch_is_of_one_depth() -> None:
    core = batching(slots=1)
    core.measured("m", 0.1)
    put(core, 1)
    running = sent(core)
    put(core, 2, depth=0)
    put(core, 3, depth=1)
    own = sent(core)
    assert (own.depth, own.reserve, len(own.items)) == (1, True, 3)
    end(core, running)
    assert [each.depth for each in sent(core).items] == [0, 0]


def test_the_queue_is_bounded_for_each_depth() -> None:
    core = batching(slots=1, queue_max=2)
    put(core, 2)
    assert not core.put(item())
    assert core.put(item(depth=1)), "somebody waits for this one, and holds a slot"


def test_a_call_that_nobody_waits_for_is_taken_out_of_the_queue() -> None:
    core = batching(slots=1)
    core.measured("m", 0.1)
    put(core, 1)
    running = sent(core)
    items = put(core, 3)
    assert core.drop(items[0])
    assert core.drop(items[2])
    assert not core.drop(items[2]), "once"
    assert core.waiting == 1
    end(core, running)
    batch = sent(core)
    assert works(batch) == [b"1"]
    assert not core.drop(items[1]), "it was sent"
    end(core, batch)
    assert core.next() is None


def test_what_is_given_back_waits_before_all_others() -> None:
    core = batching(slots=1)
    core.measured("m", 0.1)
    put(core, 1)
    running = sent(core)
    put(core, 3)
    end(core, running)
    batch = sent(core)
    put(core, 1, "later")
    core.give_back(batch, (1, 2))
    assert core.answered(batch, 0) is not None
    assert core.answered(batch, 1) is None, "it is somewhere else now"
    core.ended(batch)
    assert works(sent(core)) == [b"1", b"2"]


def test_after_a_death_only_what_had_not_started_is_sent_again() -> None:
    core = batching(slots=1)
    core.measured("m", 0.1)
    put(core, 1)
    running = sent(core)
    items = put(core, 4)
    end(core, running)
    batch = sent(core)
    assert core.answered(batch, 0) is items[0]
    assert core.lost(batch, 2, "killed") == [(items[1], Lost(True, "killed"))]
    core.ended(batch)
    again = sent(core)
    assert works(again) == [b"2"], "alone: it may have been the one that kills"
    end(core, again)
    assert works(sent(core)) == [b"3"]


def test_what_had_started_is_run_again_as_often_as_it_may() -> None:
    core = batching(slots=1)
    retried = item(retries=1)
    core.put(retried)
    for left in ([], [(retried, Lost(True, "killed"))]):
        batch = sent(core)
        assert core.lost(batch, 1, "killed") == left
        core.ended(batch)
    assert core.next() is None


def test_what_had_started_once_counts_as_begun_for_ever() -> None:
    core = batching(slots=1)
    retried = item(retries=1)
    core.put(retried)
    batch = sent(core)
    assert core.lost(batch, 1, "killed") == []
    core.ended(batch)
    assert retried.begun
    told: list[tuple[Item, Lost]] = []
    while not told:
        batch = sent(core)
        told = core.lost(batch, 0, "no worker")
        core.ended(batch)
    assert told == [(retried, Lost(True, "no worker"))]


def test_what_never_starts_is_given_up() -> None:
    core = batching(slots=1)
    (one,) = put(core, 1)
    for attempt in range(SENDS_MAX):
        batch = sent(core)
        lost = core.lost(batch, 0, "no worker")
        core.ended(batch)
        last = attempt == SENDS_MAX - 1
        assert lost == ([(one, Lost(False, "no worker"))] if last else [])
    assert core.waiting == 0


STEPS = st.lists(
    st.tuples(
        st.sampled_from(("put", "end", "lose", "give", "drop")),
        st.integers(0, DEPTH_MAX),
        st.floats(0, 80),
    ),
    max_size=60,
)


@given(STEPS, st.integers(1, 3))
@settings(max_examples=200, deadline=None)
def test_every_call_is_told_once_or_dropped_and_slots_come_back(
    steps: list[tuple[str, int, float]], slots: int
) -> None:
    core, told = batching(slots), list[Item]()
    items, running = list[Item](), list[Batch]()

    def pump() -> None:
        while (batch := core.next()) is not None:
            assert len({each.depth for each in batch.items}) == 1
            running.append(batch)

    def finish(batch: Batch, took_ms: float) -> None:
        for place in list(batch.open):
            answered = core.answered(batch, place)
            assert answered is not None
            core.measured(answered.method, took_ms)
            told.append(answered)
        core.ended(batch)

    for what, number, took_ms in steps:
        if what == "put":
            items.append(item(method=f"m{number % 2}", depth=number))
            core.put(items[-1])
        elif what == "drop" and items:
            core.drop(items[number % len(items)])
        elif running and what in ("end", "lose", "give"):
            batch = running[number % len(running)]
            if what == "give":
                core.give_back(batch, range(number + 1, len(batch.items)))
                continue
            running.remove(batch)
            if what == "end":
                finish(batch, took_ms)
            else:
                told += [lost for lost, _ in core.lost(batch, number, "gone")]
                core.ended(batch)
        pump()
        assert core.busy <= slots + DEPTH_MAX
    while running:
        finish(running.pop(), 1.0)
        pump()
    assert (core.busy, core.waiting) == (0, 0)
    assert len(told) == len({id(each) for each in told})
    assert all(each in told or each.dropped for each in items)
