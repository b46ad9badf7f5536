"""Replicated data types, as local values. Replication comes with a later version.

Every method gives another value; nothing changes in place (RE-03). This is what one replica sees.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Generic, Protocol, TypeVar

T = TypeVar("T")
K = TypeVar("K")
V = TypeVar("V")


class Crdt(Protocol):
    """What every replicated data type can do."""

    def is_empty(self) -> bool:
        """Whether it is as it was at first."""
        ...


D = TypeVar("D", bound=Crdt)


@dataclass(frozen=True)
class GCounter:
    """A counter that only grows. Later: replicated."""

    value: int = 0

    def increment(self, by: int = 1) -> GCounter:
        """This counter with `by` more; raises ValueError below 0."""
        if by < 0:
            raise ValueError(f"a GCounter only grows, got {by}; take a PNCounter")
        return replace(self, value=self.value + by)

    def is_empty(self) -> bool:
        """Whether it is 0."""
        return self.value == 0


@dataclass(frozen=True)
class PNCounter:
    """A counter that goes up and down. Later: replicated."""

    value: int = 0

    def increment(self, by: int = 1) -> PNCounter:
        """This counter with `by` more."""
        return replace(self, value=self.value + by)

    def decrement(self, by: int = 1) -> PNCounter:
        """This counter with `by` less."""
        return replace(self, value=self.value - by)

    def is_empty(self) -> bool:
        """Whether it is 0."""
        return self.value == 0


@dataclass(frozen=True)
class GSet(Generic[T]):
    """A set that only grows. Later: replicated."""

    value: frozenset[T] = frozenset()

    def add(self, element: T) -> GSet[T]:
        """This set with the element."""
        return replace(self, value=self.value | {element})

    def is_empty(self) -> bool:
        """Whether it has no element."""
        return not self.value


@dataclass(frozen=True)
class ORSet(Generic[T]):
    """A set where an addition wins over a removal that has not seen it. Later: replicated."""

    value: frozenset[T] = frozenset()

    def add(self, element: T) -> ORSet[T]:
        """This set with the element."""
        return replace(self, value=self.value | {element})

    def remove(self, element: T) -> ORSet[T]:
        """This set without the element."""
        return replace(self, value=self.value - {element})

    def is_empty(self) -> bool:
        """Whether it has no element."""
        return not self.value


@dataclass(frozen=True)
class LWWRegister(Generic[T]):
    """A value of which the last write wins. Later: replicated."""

    value: T

    def set(self, value: T) -> LWWRegister[T]:
        """This register with another value."""
        return replace(self, value=value)

    def is_empty(self) -> bool:
        """Never: a register has a value from the start."""
        return False


@dataclass(frozen=True)
class Flag:
    """A flag that can be raised and stays so. Later: replicated."""

    value: bool = False

    def enable(self) -> Flag:
        """The flag, raised."""
        return replace(self, value=True)

    def is_empty(self) -> bool:
        """Whether it is not raised."""
        return not self.value


@dataclass(frozen=True)
class ORMap(Generic[K, D]):
    """Replicated data under keys. Later: replicated."""

    value: Mapping[K, D] = field(default_factory=dict[K, D])

    def update(self, key: K, data: D) -> ORMap[K, D]:
        """This map with other data under the key."""
        return replace(self, value={**self.value, key: data})

    def remove(self, key: K) -> ORMap[K, D]:
        """This map without the key."""
        return replace(self, value={k: v for k, v in self.value.items() if k != key})

    def get(self, key: K, default: D) -> D:
        """The data under the key, or `default`."""
        return self.value.get(key, default)

    def is_empty(self) -> bool:
        """Whether it has no key."""
        return not self.value


@dataclass(frozen=True)
class CounterMap(Generic[K]):
    """Counters under keys. Later: replicated."""

    value: Mapping[K, int] = field(default_factory=dict[K, int])

    def increment(self, key: K, by: int = 1) -> CounterMap[K]:
        """This map with `by` more under the key."""
        return replace(self, value={**self.value, key: self.get(key) + by})

    def decrement(self, key: K, by: int = 1) -> CounterMap[K]:
        """This map with `by` less under the key."""
        return self.increment(key, -by)

    def remove(self, key: K) -> CounterMap[K]:
        """This map without the key."""
        return replace(self, value={k: v for k, v in self.value.items() if k != key})

    def get(self, key: K) -> int:
        """The counter under the key, 0 when there is none."""
        return self.value.get(key, 0)

    def is_empty(self) -> bool:
        """Whether it has no key."""
        return not self.value


@dataclass(frozen=True)
class RegisterMap(Generic[K, V]):
    """Values under keys; of each the last write wins. Later: replicated."""

    value: Mapping[K, V] = field(default_factory=dict[K, V])

    def set(self, key: K, value: V) -> RegisterMap[K, V]:
        """This map with another value under the key."""
        return replace(self, value={**self.value, key: value})

    def remove(self, key: K) -> RegisterMap[K, V]:
        """This map without the key."""
        return replace(self, value={k: v for k, v in self.value.items() if k != key})

    def get(self, key: K) -> V | None:
        """The value under the key, or None."""
        return self.value.get(key)

    def is_empty(self) -> bool:
        """Whether it has no key."""
        return not self.value


@dataclass(frozen=True)
class MultiMap(Generic[K, V]):
    """Sets under keys; a key lasts as long as its set has elements (RE-25). Later: replicated."""

    value: Mapping[K, frozenset[V]] = field(default_factory=dict[K, frozenset[V]])

    def put(self, key: K, value: V) -> MultiMap[K, V]:
        """This map with the value under the key."""
        return replace(self, value={**self.value, key: self.get(key) | {value}})

    def remove(self, key: K, value: V) -> MultiMap[K, V]:
        """This map without the value under the key."""
        left = {**self.value, key: self.get(key) - {value}}
        return replace(self, value={k: values for k, values in left.items() if values})

    def remove_all(self, key: K) -> MultiMap[K, V]:
        """This map without the key."""
        return replace(self, value={k: values for k, values in self.value.items() if k != key})

    def get(self, key: K) -> frozenset[V]:
        """The values under the key."""
        return self.value.get(key, frozenset())

    def is_empty(self) -> bool:
        """Whether it has no key."""
        return not self.value


@dataclass(frozen=True)
class Vote:
    """A vote of each replica (RE-27). Later: replicated.

    Attributes:
        own: this replica's vote.
        votes_for: replicas that vote for it.
        voters: replicas.
    """

    own: bool = False
    votes_for: int = 0
    voters: int = 1

    def vote(self, own: bool) -> Vote:
        """This vote with another one of this replica."""
        return replace(self, own=own, votes_for=self.votes_for + own - self.own)

    @property
    def at_least_one(self) -> bool:
        """Whether anybody votes for it."""
        return self.votes_for > 0

    @property
    def majority(self) -> bool:
        """Whether more than half vote for it."""
        return self.votes_for > self.voters // 2

    @property
    def unanimous(self) -> bool:
        """Whether all vote for it."""
        return self.votes_for == self.voters

    def is_empty(self) -> bool:
        """Whether nobody votes for it."""
        return self.votes_for == 0
