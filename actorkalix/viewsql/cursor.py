"""A place in the tokens of a query, for the grammar that reads them."""

from __future__ import annotations

from typing import NoReturn

from actorkalix.viewsql.dialect import END, QUOTED, SIGN, WORD, Token, tokens_of
from actorkalix.viewsql.problems import Findings, meant_word
from actorkalix.viewsql.syntax import Span

_CLAUSES = "SELECT DISTINCT FROM WHERE GROUP BY HAVING ORDER ASC DESC OFFSET LIMIT AS"
_JOINS = "JOIN INNER LEFT RIGHT FULL OUTER ON"
_LOGIC = "AND OR NOT IN IS LIKE ILIKE BETWEEN ANY NULL TRUE FALSE"
RESERVED = frozenset(f"{_CLAUSES} {_JOINS} {_LOGIC}".split())


class Cursor:
    """Reads tokens one by one; the first that does not fit ends the reading.

    Args:
        text: of the query.
        findings: where it is said what does not fit.
    """

    def __init__(self, text: str, findings: Findings) -> None:
        self.text = text
        self.depth: int = 0
        self._findings = findings
        self._tokens = tokens_of(text, findings)
        self._at = 0

    @property
    def here(self) -> Token:
        """The token that comes next."""
        return self._tokens[self._at]

    @property
    def before(self) -> Token:
        """The token that was read last."""
        return self._tokens[max(self._at - 1, 0)]

    def next(self) -> Token:
        """Read a token."""
        token = self.here
        self._at += token.kind != END
        return token

    def fail(self, message: str, where: Span | None = None) -> NoReturn:
        """Say what does not fit, and end."""
        self._findings.add(where or self.here.span, message)
        self._findings.raise_if_any()
        raise AssertionError

    def shown(self) -> str:
        """The next token as a reader sees it."""
        token = self.here
        return "the end of the query" if token.kind == END else self.text[_slice(token.span)]

    def is_word(self, word: str) -> bool:
        """Whether a keyword comes next."""
        return self.here.upper == word

    def take_word(self, word: str) -> bool:
        """Read a keyword if it comes next."""
        found = self.is_word(word)
        self._at += found
        return found

    def take_words(self, first: str, second: str) -> bool:
        """Read a keyword of two words if it comes next."""
        if not self.take_word(first):
            return False
        if not self.take_word(second):
            self.fail(f"{second} is missing behind {first}")
        return True

    def word(self, word: str) -> Span:
        """Read a keyword that has to come."""
        if not self.is_word(word):
            self.fail(f"{word} is missing, there is {self.shown()}{self.near(word)}")
        return self.next().span

    def near(self, *words: str) -> str:
        """What to say where another word stands in a keyword's place."""
        return meant_word(self.here.text, words) if self.here.kind == WORD else ""

    def sign_at(self, ahead: int, sign: str) -> bool:
        """Whether a sign comes so many tokens ahead."""
        token = self._tokens[min(self._at + ahead, len(self._tokens) - 1)]
        return token.kind == SIGN and token.text == sign

    def is_sign(self, sign: str) -> bool:
        """Whether a sign comes next."""
        return self.sign_at(0, sign)

    def take_sign(self, sign: str) -> bool:
        """Read a sign if it comes next."""
        found = self.is_sign(sign)
        self._at += found
        return found

    def sign(self, sign: str) -> Span:
        """Read a sign that has to come."""
        if not self.is_sign(sign):
            self.fail(f"{sign} is missing, there is {self.shown()}")
        return self.next().span

    def is_name(self) -> bool:
        """Whether a name comes next."""
        token = self.here
        return token.kind == QUOTED or (token.kind == WORD and token.upper not in RESERVED)

    def name(self, what: str) -> str:
        """Read a name that has to come."""
        if not self.is_name():
            if self.here.upper in RESERVED:
                self.fail(
                    f"{what} is missing; {self.shown()} is a keyword, as a name it needs backticks"
                )
            if self.is_sign('"'):
                self.fail("names stand in backticks, texts in single quotes")
            self.fail(f"{what} is missing, there is {self.shown()}")
        return self.next().text


def _slice(span: Span) -> slice:
    return slice(span.start, span.end)
