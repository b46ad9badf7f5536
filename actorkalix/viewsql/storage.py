"""How rows lie in SQLite: statements and their parameters; whoever has a connection runs them.

A table has a row for each subject: a number of its own (`$id`), whose row it is (`$subject`), the
whole row as JSON (`$row`, so `SELECT *` rebuilds nothing), a column for each leaf of its shape, and
the number of its last change (`$seq`). Names that begin with `$` are ours; fields have none.
Columns have no type, so what is bound is what is kept.

A text search has a table of FTS5 beside it, whose rows have the numbers of the table's own;
it keeps words that `words` made, so that SQLite's tokenizer has nothing to decide: query and row
are normalised by the same code. Its statements belong into the transaction of the row's.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import partial
from operator import attrgetter
from typing import Any, Protocol, cast

import msgspec

from actorkalix.describe.shapes import is_model
from actorkalix.errors import NotEncodable
from actorkalix.viewsql.shapes import Column, ColumnKind, TableShape
from actorkalix.viewsql.values import as_builtins, to_column, writer_of
from actorkalix.viewsql.words import words_of

_SEARCH = "$search "
Parameters = tuple[Any, ...]
Words = Callable[[str, str], str]
"""From a text and a language to its words, normalised, with blanks between."""


class Search(Protocol):
    """A text search that a query needs (`words.TextSearch`)."""

    @property
    def table(self) -> str:
        """Name of the table."""
        ...

    @property
    def column(self) -> str:
        """Dotted name of its column, of texts or of lists of texts."""
        ...

    @property
    def language(self) -> str:
        """Of its words; "simple" for none."""
        ...


class TableStorage:
    """A table of a view in SQLite.

    Args:
        shape: of the table.
        searches: that queries of the view need; those of other tables are passed over.
        words: makes the words that a search keeps, as queries do.

    Attributes:
        create: statements that make the table and its searches where they are not there.
        upsert: one row, with the parameters of `encode` and the number of the change.
        delete: one row, by its subject.
        select: the `$row` of a subject.
    """

    def __init__(
        self, shape: TableShape, searches: Iterable[Search] = (), words: Words | None = None
    ) -> None:
        self.shape = shape
        self._leaves = shape.leaves()
        self._columns = [(_reader(one.path, shape.row), writer_of(one)) for one in self._leaves]
        self._floats = [
            (at, one)
            for at, one in enumerate(self._leaves)
            if one.kind is ColumnKind.FLOAT and one.nullable
        ]
        self._json = msgspec.json.Encoder(enc_hook=as_builtins)
        self._decoder = msgspec.json.Decoder(shape.row, dec_hook=_model)
        made = words or words_of
        mine = {search_table(one): one for one in searches if one.table == shape.name}
        self._searches = tuple(SearchStorage(shape, mine[name], made) for name in sorted(mine))
        columns = "".join(f"{quoted(one.name)}, " for one in self._leaves)
        table = quoted(shape.name)
        self.create: tuple[str, ...] = (
            f'CREATE TABLE IF NOT EXISTS {table}("$id" INTEGER PRIMARY KEY, '
            f'"$subject" TEXT NOT NULL UNIQUE, "$row" TEXT NOT NULL, {columns}'
            '"$seq" INTEGER NOT NULL)',
            *(one.create for one in self._searches),
        )
        names = ['"$subject"', '"$row"', *(quoted(one.name) for one in self._leaves), '"$seq"']
        places = ", ".join("?" * len(names))
        sets = ", ".join(f"{name}=excluded.{name}" for name in names[1:])
        # An update in place keeps the row's number, by which the searches know it.
        self.upsert = (
            f"INSERT INTO {table}({', '.join(names)}) VALUES({places}) "
            f'ON CONFLICT("$subject") DO UPDATE SET {sets}'
        )
        self.delete = f'DELETE FROM {table} WHERE "$subject"=?'
        self.select = f'SELECT "$row" FROM {table} WHERE "$subject"=?'

    def encode(self, subject: str, row: Any) -> Parameters:
        """Parameters of `upsert`, without the number of the change, which is its last.

        Args:
            subject: whose row it is.
            row: an object of the table's class.

        Raises:
            NotEncodable: names the column, and says what it can keep.
        """
        kept, whole = self._written(row)
        try:
            leaves = [
                None if (value := read(kept)) is None else write(value)
                for read, write in self._columns
            ]
        except ValueError:
            leaves = [self._leaf(one, kept) for one in self._leaves]  # which says whose it is
        for at, column in self._floats:
            if leaves[at] is None and _at(row, column.path) is not None:  # JSON has null for nan
                self._leaf(column, row)
        return (subject, whole, *leaves)

    def decode(self, row: bytes | str) -> Any:
        """The object that a `$row` holds.

        Raises:
            msgspec.ValidationError: the class has changed since; the view has another generation.
        """
        return self._decoder.decode(row)

    def put(self, subject: str, row: Any, seq: int) -> Iterator[tuple[str, Parameters]]:
        """Statements that insert or replace a row and keep its searches in step, in order.

        Raises:
            NotEncodable: as `encode`; before the first statement.
        """
        parameters = self.encode(subject, row)
        yield self.upsert, (*parameters, seq)
        for search in self._searches:
            yield from search.put(subject, parameters[2 + search.position])

    def remove(self, subject: str) -> Iterator[tuple[str, Parameters]]:
        """Statements that delete a row and what its searches keep of it, in order."""
        for search in self._searches:
            yield search.remove, (subject,)
        yield self.delete, (subject,)

    def missing(self, there: Collection[str]) -> tuple[SearchStorage, ...]:
        """Searches that a file lacks, which were added since.

        Args:
            there: names of its tables.

        Returns:
            Each is made by `create`, then filled: `fill` for every row that `select` gives.
        """
        return tuple(one for one in self._searches if one.name not in there)

    def idle(self, there: Collection[str]) -> tuple[str, ...]:
        """Statements that drop searches which no query needs any more.

        Nobody would keep them in step with the rows, and a query that comes later would believe
        them.

        Args:
            there: names of the file's tables.
        """
        needed = {one.name for one in self._searches}
        ours = f"{_SEARCH}{quoted(self.shape.name)} "
        return tuple(
            f"DROP TABLE {quoted(name)}"
            for name in sorted(there)
            if name.startswith(ours) and name not in needed and f"{name}_data" in there
        )

    def _written(self, row: Any) -> tuple[Any, str]:
        """The row as it reads back, and its JSON."""
        what = f"row of {self.shape.name}"
        try:
            whole = self._json.encode(row)
        except (TypeError, ValueError, OverflowError, RecursionError) as problem:
            raise NotEncodable(f"{what}: {problem}") from problem
        try:
            return self._decoder.decode(whole), whole.decode()
        except (msgspec.MsgspecError, UnicodeDecodeError, ValueError) as problem:
            raise NotEncodable(f"{what}: {problem}; it could not be read back") from problem

    def _leaf(self, column: Column, row: Any) -> Any:
        try:
            return to_column(column, _at(row, column.path))
        except ValueError as problem:
            text = f"row of {self.shape.name}, {column.name}: {problem}"
            raise NotEncodable(text) from problem


class SearchStorage:
    """The FTS5 table of one text search.

    Attributes:
        name: of the table.
        create: the statement that makes it where it is not there.
        select: (subject, column) of all rows of the table it searches.
        remove: what it keeps of a row, by its subject, while the row is there.
        position: of its column among the leaves of the shape.
    """

    def __init__(self, shape: TableShape, search: Search, words: Words) -> None:
        table, fts = quoted(shape.name), quoted(search_table(search))
        leaves, column = shape.leaves(), search.column
        self.name = search_table(search)
        self.position = [one.name for one in leaves].index(column)
        # Of every word only the rows: nobody asks where in the text it stands. To this tokenizer
        # all that is not ASCII is a letter, so it splits where `words` has put blanks.
        self.create = (
            f"CREATE VIRTUAL TABLE IF NOT EXISTS {fts} "
            "USING fts5(words, detail=none, columnsize=0, tokenize=\"ascii tokenchars '_'\")"
        )
        self.select = f'SELECT "$subject", {quoted(column)} FROM {table}'
        row = f'(SELECT "$id" FROM {table} WHERE "$subject"=?)'
        self.remove = f"DELETE FROM {fts} WHERE rowid={row}"
        self._insert = f"INSERT INTO {fts}(rowid, words) VALUES({row}, ?)"
        self._language, self._words = search.language, words
        self._is_list = leaves[self.position].element is not None

    def put(self, subject: str, value: Any) -> Iterator[tuple[str, Parameters]]:
        """Statements that replace what it keeps of a row.

        Args:
            subject: whose row it is; the row is there.
            value: of its column, as SQLite keeps it.
        """
        yield self.remove, (subject,)
        yield from self.fill(subject, value)

    def fill(self, subject: str, value: Any) -> Iterator[tuple[str, Parameters]]:
        """Statements that add a row of which it keeps nothing yet."""
        if value is None:
            return
        texts: Sequence[str] = msgspec.json.decode(value) if self._is_list else [value]
        words = " ".join(self._words(one, self._language) for one in texts)
        if words:
            yield self._insert, (subject, words)


def search_table(search: Search) -> str:
    """Name of the FTS5 table of a search."""
    return f"{_SEARCH}{quoted(search.table)} {search.column} {search.language}"


def quoted(name: str) -> str:
    """A name as SQL, whatever is in it."""
    return '"' + name.replace('"', '""') + '"'


def _reader(path: Sequence[str], row: Any) -> Callable[[Any], Any]:
    """Reads a column of a row: most are fields of the row itself."""
    if len(path) == 1 and not hasattr(row, "__required_keys__"):
        return attrgetter(path[0])
    return partial(_at, path=path)


def _at(row: Any, path: Sequence[str]) -> Any:
    value: Any = row
    for name in path:
        if value is None:
            return None
        if isinstance(value, dict):
            value = cast("dict[str, Any]", value).get(name)
        else:
            value = getattr(value, name)
    return value


def _model(tp: type[Any], value: Any) -> Any:
    """For msgspec: a pydantic model out of JSON; fields that it has lost are ignored."""
    if is_model(tp):
        return tp.model_validate_json(msgspec.json.encode(value), extra="ignore")
    if isinstance(value, tp):
        return value
    raise ValueError(f"{tp.__name__} cannot be decoded")
