"""Streams of updates have no gap: whatever changes between two reads, the caller's picture fits."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import aclosing
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actorkalix.views import updates as module
from actorkalix.views.reading import Read
from actorkalix.views.standing import here
from actorkalix.views.updates import Changing, Element, Here, Page, Walk, number_of, updates
from tests.unit.actorkalix.views.files import CHANGES, File

CHANGING = Changing("carts", CHANGES, {"more": 5})


@pytest.fixture
def file(tmp_path: Path) -> Generator[File]:
    made = File(tmp_path / "g1.sqlite")
    yield made
    made.close()


class Caller:
    """What a caller knows."""

    def __init__(self) -> None:
        self.rows: dict[str, int] = {}
        self.after = 0

    def told(self, elements: list[Element]) -> None:
        """Take note of elements."""
        for element in elements:
            assert element.number > self.after, "in order, and each once"
            self.after = element.number
            if element.kind == "row":
                row = msgspec.json.decode(element.columns[0], type=dict[str, int])
                assert row["size"] > 5
                self.rows[element.subject] = row["size"]
            else:
                self.rows.pop(element.subject, None)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.integers(0, 9), st.integers(0, 10)),
        st.tuples(st.just("remove"), st.integers(0, 9), st.just(0)),
        st.tuples(st.just("read"), st.just(0), st.just(0)),
        st.tuples(st.just("come back"), st.just(0), st.just(0)),
    ),
    max_size=60,
)


@settings(max_examples=150, deadline=None)
@given(STEPS, st.integers(1, 4))
def test_the_picture_fits_whatever_changes_between_two_reads(
    steps: list[tuple[str, int, int]], page: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = File(Path(folder) / "g1.sqlite")
        caller, walk, truth = Caller(), Walk(CHANGING, page=page), dict[str, int]()
        for what, number, size in steps:
            subject = f"c{number}"
            if what == "put":
                file.put(subject, size)
                truth[subject] = size
            elif what == "remove" and truth.pop(subject, None) is not None:
                file.remove(subject)
            elif what == "read":
                caller.told(walk.take(walk.read(file.read)))
            elif what == "come back":
                walk = Walk(CHANGING, caller.after, fresh=not caller.after, page=page)
        whole = False
        while not whole:
            found = walk.read(file.read)
            caller.told(walk.take(found))
            whole = found.whole
        assert caller.rows == {subject: size for subject, size in truth.items() if size > 5}
        file.close()


def test_a_caller_is_told_only_of_rows_that_it_has_had(file: File) -> None:
    walk = Walk(CHANGING)
    file.put("small", 1)
    file.put("large", 9)
    assert [one.subject for one in walk.take(walk.read(file.read))] == ["large"]
    file.remove("small")
    file.put("large", 2)
    told = walk.take(walk.read(file.read))
    assert [(one.kind, one.subject) for one in told] == [("removed", "large")]
    file.remove("large")
    assert walk.take(walk.read(file.read)) == []


def test_who_had_too_much_to_remember_is_told_of_every_removal(
    file: File, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SUBJECTS_MAX", 1)
    walk = Walk(CHANGING)
    for name in ("a", "b"):
        file.put(name, 9)
    walk.take(walk.read(file.read))
    file.put("never had", 1)
    told = walk.take(walk.read(file.read))
    assert [(one.kind, one.subject) for one in told] == [("removed", "never had")]


@pytest.mark.parametrize(
    "mark, number",
    [
        ("g1-5", 5),
        ("g1-10", 10),
        ("g1-3", 3),
        ("g1-2", None),  # removals behind it are forgotten
        ("g1-11", None),  # of a file that is lost
        ("g0-5", None),
        ("g1-", None),
        ("g1--5", None),
        ("g1-99999999999999999999999", None),
        ("5", None),
        ("'; DROP TABLE carts", None),
        ("g1-٣", None),
    ],
)
def test_a_mark_is_gone_on_from_where_that_leaves_no_gap(mark: str, number: int | None) -> None:
    assert number_of(mark, Here("g1", newest=10, forgotten=3)) == number


class Stream:
    """A stream over a file that says when it has changed."""

    def __init__(self, file: File, mark: str = "") -> None:
        self.file = file
        self.changed = asyncio.Event()
        self.count = 0
        self.elements: AsyncGenerator[tuple[Element, str]] = updates(
            CHANGING, mark, where=self._where, read=self._read, look=self._look, beyond=self._beyond
        )

    def poke(self) -> None:
        """It has changed."""
        self.count += 1
        self.changed.set()

    def _where(self) -> Here:
        return here(self.file.read)

    async def _read(self, work: Callable[[Read], Page]) -> Page:
        return work(self.file.read)

    def _look(self) -> int:
        return self.count

    async def _beyond(self, number: int) -> None:
        while self.count <= number:
            self.changed.clear()
            await self.changed.wait()

    async def next(self) -> tuple[str, str, str]:
        """Kind, subject and mark of the next element."""
        element, mark = await anext(self.elements)
        return element.kind, element.subject, mark


def test_first_what_there_is_and_then_what_comes(file: File) -> None:
    async def scenario() -> None:
        file.put("a", 9)
        stream = Stream(file)
        async with aclosing(stream.elements):
            assert await stream.next() == ("row", "a", "g1-1")
            coming = asyncio.create_task(stream.next())
            await asyncio.sleep(0)
            assert not coming.done()
            file.put("b", 8)
            stream.poke()
            assert await coming == ("row", "b", "g1-2")

    asyncio.run(scenario())


def test_who_comes_back_goes_on_behind_its_mark(file: File) -> None:
    async def scenario() -> None:
        for name in ("a", "b"):
            file.put(name, 9)
        file.remove("a")
        stream = Stream(file, "g1-2")
        async with aclosing(stream.elements):
            assert await stream.next() == ("removed", "a", "g1-3")

    asyncio.run(scenario())


def test_who_comes_back_to_another_file_begins_anew(file: File, tmp_path: Path) -> None:
    async def scenario() -> None:
        file.put("a", 9)
        stream = Stream(file, "g0-7")
        async with aclosing(stream.elements):
            assert await stream.next() == ("reset", "", "g1-0")
            assert await stream.next() == ("row", "a", "g1-1")
            stream.file = File(tmp_path / "g2.sqlite", "g2")
            stream.file.put("b", 9)
            stream.poke()
            assert await stream.next() == ("reset", "", "g2-0")
            assert await stream.next() == ("row", "b", "g2-1")
            stream.file.close()

    asyncio.run(scenario())
