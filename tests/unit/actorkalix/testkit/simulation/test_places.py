"""Places of a simulated host: as slow and as mortal as the run says."""

from __future__ import annotations

from actorkalix.testkit.simulation.chance import Chance
from actorkalix.testkit.simulation.faults import Conditions, Faults
from actorkalix.testkit.simulation.places import SimulatedWeather


def test_the_rates_of_the_run_count() -> None:
    conditions = Conditions(Faults(place_fails=0.5, place_mean_us=1_000))
    weather = SimulatedWeather(Chance(1), conditions)
    ends = [weather.ends() for _ in range(1_000)]
    assert 400 < sum(ends) < 600
    delays = [weather.delay_s() for _ in range(1_000)]
    assert 0.0008 < sum(delays) / 1_000 < 0.0012
    conditions.rates = Faults.none()
    assert not any(weather.ends() or weather.delay_s() for _ in range(100))


def test_the_same_seed_has_the_same_weather() -> None:
    conditions = Conditions(Faults())
    one, same = (SimulatedWeather(Chance(7), conditions) for _ in range(2))
    assert [one.delay_s() for _ in range(9)] == [same.delay_s() for _ in range(9)]
