"""What a controller must not forget outlives it, in whole."""

from __future__ import annotations

from pathlib import Path

from actorkalix_cluster.rayhost.memory import DEATHS_MAX, DEATHS_WITHIN_S, Memory


def test_deaths_are_counted_by_store_and_forgotten_in_time(tmp_path: Path) -> None:
    memory = Memory.read(tmp_path)
    assert [memory.died(0, float(at)) for at in range(5)] == [1, 2, 3, 4, DEATHS_MAX]
    assert memory.died(1, 4.0) == 1
    assert memory.deaths(0, 4.0) == DEATHS_MAX
    assert memory.deaths(0, 5.0 + DEATHS_WITHIN_S) == 0
    apart = [memory.died(2, at * DEATHS_WITHIN_S * 2) for at in range(9)]
    assert apart == [1] * 9


def test_the_next_controller_knows_it_and_the_next_run_does_not(tmp_path: Path) -> None:
    memory = Memory.read(tmp_path)
    memory.died(3, 10.0)
    memory.fence(4, "it kills its hosts")
    memory.block({"cart": "held the loop"})
    again = Memory.read(tmp_path)
    assert again.deaths(3, 11.0) == 1
    assert again.fenced == {4: "it kills its hosts"}
    assert again.blocked == {"cart": "held the loop"}
    Memory.forget(tmp_path)
    assert Memory.read(tmp_path).fenced == {}
    Memory.forget(tmp_path)


def test_a_file_that_was_cut_is_no_memory(tmp_path: Path) -> None:
    Memory.read(tmp_path).fence(1, "reason")
    file = tmp_path / "fleet"
    file.write_bytes(file.read_bytes()[:-3])
    assert Memory.read(tmp_path).fenced == {}
