"""How rows lie in SQLite: statements and their parameters; whoever has a connection runs them.

A table has a row for each subject: its id (`$subject`), the whole row as JSON (`$row`, so `SELECT *`
rebuilds nothing), the number of its last change (`$seq`), and a column for each leaf of its shape.
Names that begin with `$` are ours; fields cannot be named so.

A text search has a table of FTS5 beside it, whose rows have the numbers (rowid) of the table's own;
it keeps words that `words` made, so that SQLite's tokenizer has nothing to decide: query and row
are normalised by the same code. Its statements belong into the transaction of the row's.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Any, Protocol

import msgspec

from actorkalix.describe.shapes import is_model
from actorkalix.errors import NotEncodable
from actorkalix.sql.shapes import Column, TableShape
from actorkalix.sql.values import as_builtins, to_column

Parameters = tuple[Any, ...]
Words = Callable[[str, str], str]
"""From a text and a language to its words, normalised, with blanks between (`sql/words.py`)."""


class Search(Protocol):
    """A text search that a query needs: a column of a table, by its dotted name, and a language."""

    @property
    def table(self) -> str:
        """Name of the table."""
        ...

    @property
    def column(self) -> str:
        """Dotted name of the column, of texts or of a list of texts."""
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
        words: makes the words that a search keeps.

    Attributes:
        create: statements that make the table and its searches where they are not there.
        upsert: one row, with the parameters of `encode`.
        delete: one row, by its subject.
    """

    def __init__(
        self, shape: TableShape, searches: Iterable[Search] = (), words: Words | None = None
    ) -> None:
        self.shape = shape
        self._leaves = shape.leaves()
        self._json = msgspec.json.Encoder(enc_hook=as_builtins)
        self._decoder = msgspec.json.Decoder(shape.row, dec_hook=_model)
        made = words or split_words
        mine = {search_table(one): one for one in searches if one.table == shape.name}
        self._searches = tuple(
            SearchStorage(shape, name, mine[name], made) for name in sorted(mine)
        )
        columns = ", ".join(quoted(one.name) for one in self._leaves)
        table = quoted(shape.name)
        self.create: tuple[str, ...] = (
            f'CREATE TABLE IF NOT EXISTS {table}("$subject" TEXT NOT NULL PRIMARY KEY, '
            f'"$row" BLOB NOT NULL, "$seq" INTEGER NOT NULL, {columns})',
            *(one.create for one in self._searches),
        )
        names = ['"$subject"', '"$row"', '"$seq"', *(quoted(one.name) for one in self._leaves)]
        places = ", ".join("?" * len(names))
        sets = ", ".join(f"{name}=excluded.{name}" for name in names[1:])
        # An update in place keeps the row's number, by which the searches know it.
        self.upsert = (
            f"INSERT INTO {table}({', '.join(names)}) VALUES({places}) "
            f'ON CONFLICT("$subject") DO UPDATE SET {sets}'
        )
        self.delete = f'DELETE FROM {table} WHERE "$subject"=?'

    def encode(self, subject: str, row: Any, seq: int = 0) -> Parameters:
        """Parameters of `upsert`.

        Args:
            subject: whose row it is.
            row: an object of the table's class.
            seq: number of the change that made it.

        Raises:
            NotEncodable: names the column, and says what it can keep.
        """
        kept, whole = self._written(row)
        return (subject, whole, seq, *(self._leaf(one, kept) for one in self._leaves))

    def decode(self, row: bytes | str) -> Any:
        """The object that a `$row` holds.

        Raises:
            msgspec.ValidationError: the class has changed since; the view has another generation.
        """
        return self._decoder.decode(row)

    def put(self, subject: str, row: Any, seq: int = 0) -> Iterator[tuple[str, Parameters]]:
        """Statements that insert or replace a row and keep its searches in step, in order.

        Raises:
            NotEncodable: as `encode`; before the first statement.
        """
        parameters = self.encode(subject, row, seq)
        yield self.upsert, parameters
        for search in self._searches:
            yield from search.put(subject, parameters[3 + search.position])

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

    def _written(self, row: Any) -> tuple[Any, bytes]:
        """The row as it reads back, and its JSON."""
        what = f"row of {self.shape.name}"
        try:
            whole = self._json.encode(row)
        except (TypeError, ValueError, OverflowError, RecursionError) as problem:
            raise NotEncodable(f"{what}: {problem}") from problem
        try:
            return self._decoder.decode(whole), whole
        except (msgspec.MsgspecError, UnicodeDecodeError, ValueError) as problem:
            raise NotEncodable(f"{what}: {problem}; it could not be read back") from problem

    def _leaf(self, column: Column, row: Any) -> Any:
        value = row
        for name in column.path:
            if value is None:
                return None
            value = value.get(name) if isinstance(value, dict) else getattr(value, name)
        try:
            return to_column(column, value)
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

    def __init__(self, shape: TableShape, name: str, search: Search, words: Words) -> None:
        table, fts = quoted(shape.name), quoted(name)
        self.name = name
        self.position = [one.name for one in shape.leaves()].index(search.column)
        # Of every word only the rows: nobody asks where in the text it stands.
        self.create = (
            f"CREATE VIRTUAL TABLE IF NOT EXISTS {fts} "
            "USING fts5(words, detail=none, columnsize=0, tokenize=\"ascii tokenchars '_'\")"
        )
        self.select = f'SELECT "$subject", {quoted(search.column)} FROM {table}'
        row = f'(SELECT rowid FROM {table} WHERE "$subject"=?)'
        self.remove = f"DELETE FROM {fts} WHERE rowid={row}"
        self._insert = f"INSERT INTO {fts}(rowid, words) VALUES({row}, ?)"
        self._language, self._words = search.language, words
        self._is_list = shape.leaves()[self.position].element is not None

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
    return f"$search {search.table} {search.column} {search.language}"


def quoted(name: str) -> str:
    """A name as SQL, whatever is in it."""
    return '"' + name.replace('"', '""') + '"'


def split_words(text: str, language: str) -> str:
    """Words of a text in lower case, for any language."""
    letters = (one if one.isalnum() else " " for one in text.lower())
    return " ".join("".join(letters).split())


def _model(tp: type[Any], value: Any) -> Any:
    """For msgspec: a pydantic model out of JSON; fields that it has lost are ignored."""
    if is_model(tp):
        return tp.model_validate_json(msgspec.json.encode(value), extra="ignore")
    if isinstance(value, tp):
        return value
    raise ValueError(f"{tp.__name__} cannot be decoded")
