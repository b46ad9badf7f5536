"""Places of dedicated entities in a simulated run: in their host's process, slow, and mortal.

What runs there crosses as bytes, so a record that a host writes is another object than the one that
the handler has made; where it comes from is noted when it is back.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from actorkalix_cluster.shardhost.behavior import Behavior
from actorkalix_cluster.shardhost.nearby import Nearby

from .chance import Chance
from .faults import Conditions


class SimulatedWeather:
    """`Weather` of the places of one host.

    Args:
        chance: says what takes how long, and what ends.
        conditions: how much and how often.
    """

    def __init__(self, chance: Chance, conditions: Conditions) -> None:
        self._chance = chance
        self._conditions = conditions

    def delay_s(self) -> float:
        """A time with the mean of the run."""
        return self._chance.exponential_us(self._conditions.rates.place_mean_us) / 1e6

    def ends(self) -> bool:
        """As often as the run says."""
        return self._chance.happens(self._conditions.rates.place_fails)

    def places(self, behaviors: Mapping[str, Behavior[Any]]) -> Nearby:
        """Places in this weather, for `build_host`."""
        return Nearby(behaviors, self)
