"""Streams of updates: first what a query finds, then what changes, with no gap between (VW-71).

Theory of operation. Every change of a row has a number, `$seq`, which rises over the whole file;
a removed row leaves its subject with the number of its removal in `$removed`. So the stream is one
walk along these numbers: from 0 for a new caller, from its `Last-Event-ID` for one that comes back
(VW-72). What is read is the newest state of a row, so a slow reader gets fewer changes and never a
backlog, and nothing is kept for it here but the subjects that it was sent.

What is no longer found is told (`removed`): rows that stop to match, and rows that are gone. A
caller that came back is told of every such row, for what it had is not known; so is one that was
sent more than `SUBJECTS_MAX` rows.

A mark is `<generation>-<number>`. Where the file is another one by then, or has forgotten removals
that lie behind the mark, the stream begins anew, with an element `reset` first.

Pure, but for what it is given.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, Literal

import msgspec

from actorkalix.views.reading import Read

SUBJECTS_MAX = 100_000  # some 10 MB a stream
_ALL = 2**63 - 1
PAGE = 500  # rows of a read, which takes a few milliseconds

Kind = Literal["row", "removed", "reset"]

REMOVED = (
    'SELECT "subject", "seq" FROM "$removed" WHERE "table" = ? AND "seq" > ? ORDER BY "seq" LIMIT ?'
)


class Changing(msgspec.Struct, frozen=True):
    """A query whose changes are streamed.

    Attributes:
        table: that it is over.
        changes: rows that changed behind `:after` up to `:upto`, by number, `:limit` at most,
            whether they match or not: subject, number, whether it matches, then the result's cells.
        parameters: bound, for the query's own names.
    """

    table: str
    changes: str
    parameters: dict[str, Any]


class Element(msgspec.Struct, frozen=True):
    """One of a stream.

    Attributes:
        kind: what it tells.
        number: of the change.
        subject: whose row it is, "" for `reset`.
        columns: of the result, none but for `row`.
    """

    kind: Kind
    number: int = 0
    subject: str = ""
    columns: tuple[Any, ...] = ()


class Page(msgspec.Struct, frozen=True):
    """Elements behind a number, up to another one; `whole` when there are no more now."""

    elements: list[Element]
    through: int
    whole: bool


class Walk:
    """The walk of one stream along the numbers.

    Args:
        changing: the query.
        after: begins behind this number.
        fresh: the caller has nothing yet.
        page: rows of a read.
    """

    def __init__(
        self, changing: Changing, after: int = 0, *, fresh: bool = True, page: int = PAGE
    ) -> None:
        self._changing = changing
        self._page = page
        self._sent: set[str] | None = set() if fresh else None
        self.after = after

    def read(self, read: Read) -> Page:
        """The next page; all that is read is of one moment."""
        limit, changing = self._page, self._changing
        bound = {**changing.parameters, "after": self.after, "upto": _ALL, "limit": limit}
        rows = read(changing.changes, bound)
        gone = read(REMOVED, (changing.table, self.after, limit))
        ends = [page[-1][1] for page in (rows, gone) if len(page) == limit]
        through = (
            min(ends)
            if ends
            else max((page[-1][1] for page in (rows, gone) if page), default=self.after)
        )
        found = [
            Element("row", row[1], row[0], row[3:])
            if row[2]
            else Element("removed", row[1], row[0])
            for row in rows
            if row[1] <= through
        ]
        found += [
            Element("removed", number, subject) for subject, number in gone if number <= through
        ]
        found.sort(key=lambda one: one.number)
        return Page(found, through, not ends)

    def take(self, page: Page) -> list[Element]:
        """What of a page the caller is told."""
        self.after = page.through
        return [element for element in page.elements if self._tells(element)]

    def _tells(self, element: Element) -> bool:
        sent = self._sent
        if element.kind == "row":
            if sent is not None:
                sent.add(element.subject)
                if len(sent) > SUBJECTS_MAX:
                    self._sent = None
            return True
        if sent is None:
            return True
        known = element.subject in sent
        sent.discard(element.subject)
        return known


class Here(msgspec.Struct, frozen=True):
    """The file that is served now.

    Attributes:
        generation: of it; another one has numbers of its own.
        newest: number of its last change.
        forgotten: removals up to this number are not known any more.
    """

    generation: str
    newest: int
    forgotten: int


def mark_of(generation: str, number: int) -> str:
    """The mark of an element."""
    return f"{generation}-{number}"


def number_of(mark: str, here: Here) -> int | None:
    """The number that a mark has; None when the stream has to begin anew."""
    generation, _, digits = mark.rpartition("-")
    if generation != here.generation or not (digits.isascii() and digits.isdigit()):
        return None
    number = int(digits) if len(digits) < 19 else here.newest + 1
    return number if here.forgotten <= number <= here.newest else None


async def updates(
    changing: Changing,
    mark: str,
    *,
    where: Callable[[], Here],
    read: Callable[[Callable[[Read], Page]], Awaitable[Page]],
    look: Callable[[], int],
    beyond: Callable[[int], Awaitable[None]],
) -> AsyncGenerator[tuple[Element, str]]:
    """The elements of a stream with their marks, without end.

    Args:
        changing: the query.
        mark: of the last element that the caller has had, or "".
        where: says which file is served.
        read: reads a page, in one moment of the file.
        look, beyond: of a `Watcher`.
    """
    here = where()
    begin = number_of(mark, here) if mark else 0
    if begin is None:
        yield Element("reset"), mark_of(here.generation, 0)
    walk = Walk(changing, begin or 0, fresh=not begin)
    while True:
        number = look()
        now = where()
        if now.generation != here.generation:
            here, walk = now, Walk(changing)
            yield Element("reset"), mark_of(here.generation, 0)
        page = await read(walk.read)
        for element in walk.take(page):
            yield element, mark_of(here.generation, element.number)
        if page.whole:
            await beyond(number)
