"""Metadata: what travels beside a payload."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import cast


class Metadata(Mapping[str, str]):
    """An ordered multimap of text; names compare without case and keep their own (ES-34).

    As a mapping it shows the first value of every name. It never changes: `set` and `add` give
    another one.

    Args:
        pairs: a mapping, or (name, value) pairs in order; a name may come more than once.
    """

    __slots__ = ("pairs",)

    pairs: tuple[tuple[str, str], ...]
    """All (name, value) pairs in order."""

    def __init__(self, pairs: Mapping[str, str] | Iterable[tuple[str, str]] = ()) -> None:
        self.pairs = _pairs(pairs)

    def __getitem__(self, name: str) -> str:
        wanted = name.lower()
        for found, value in self.pairs:
            if found.lower() == wanted:
                return value
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(
            {name.lower(): name for name, _ in reversed(self.pairs)}[n] for n in self._names()
        )

    def __len__(self) -> int:
        return len(self._names())

    def __bool__(self) -> bool:
        return bool(self.pairs)  # asked of every event; `len` would list the names

    def get_all(self, name: str) -> list[str]:
        """All values under a name, in order; [] when there are none."""
        wanted = name.lower()
        return [value for found, value in self.pairs if found.lower() == wanted]

    def set(self, name: str, value: str) -> Metadata:
        """These with all values under `name` replaced by one."""
        wanted = name.lower()
        kept = [pair for pair in self.pairs if pair[0].lower() != wanted]
        return Metadata([*kept, (name, value)])

    def add(self, name: str, value: str) -> Metadata:
        """These with one value more."""
        return Metadata([*self.pairs, (name, value)])

    def merge(self, other: Mapping[str, str]) -> Metadata:
        """These, then the other's; values under the same name are both kept."""
        return Metadata([*self.pairs, *_pairs(other)])

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Metadata):
            return self.pairs == other.pairs
        return isinstance(other, Mapping) and dict(self) == other

    def __hash__(self) -> int:
        return hash(self.pairs)

    def __repr__(self) -> str:
        return f"Metadata({list(self.pairs)!r})"

    def _names(self) -> list[str]:
        return list(dict.fromkeys(name.lower() for name, _ in self.pairs))


def _pairs(given: Mapping[str, str] | Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    if isinstance(given, Metadata):
        return given.pairs
    pairs = tuple(cast("Mapping[str, str]", given).items() if isinstance(given, Mapping) else given)
    for name, value in pairs:  # a plain loop: it is run for every message of a topic
        if not (_is_text(name) and _is_text(value)):
            raise TypeError(f"metadata is text under text names, got {pairs!r}")
    return pairs


def _is_text(part: object) -> bool:
    return isinstance(part, str)


NO_METADATA = Metadata()
