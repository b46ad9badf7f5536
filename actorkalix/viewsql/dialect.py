"""The words of the query language: a dialect of sqlglot's tokens.

sqlglot cuts the text; the grammar over its tokens is ours (parsing.py). Its own parser takes every
clause in any order and keeps no place for literals and operators, so it could neither refuse what
VW-30 to VW-54 refuse nor put a caret under it.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from sqlglot import Dialect, TokenError, TokenType
from sqlglot import Tokenizer as BaseTokenizer

from actorkalix.viewsql.problems import Findings
from actorkalix.viewsql.syntax import Span

WORD, QUOTED, TEXT, NUMBER, SIGN, END = "word", "quoted", "text", "number", "sign", "end"


class ViewSql(Dialect):
    """Backticks around names, quotes around texts, no keywords of other dialects."""

    class Tokenizer(BaseTokenizer):
        """Signs of two characters; words are told apart by the grammar, where they stand."""

        IDENTIFIERS = ["`"]
        QUOTES = ["'"]
        COMMENTS = ["--", ("/*", "*/")]
        KEYWORDS = {
            "!=": TokenType.NEQ,
            "<>": TokenType.NEQ,
            ">=": TokenType.GTE,
            "<=": TokenType.LTE,
            "::": TokenType.DCOLON,
            "||": TokenType.DPIPE,
        }


class Token(msgspec.Struct, frozen=True):
    """A word, quoted name, text, number or sign, and where it stands.

    Attributes:
        kind: one of the constants of this module.
        text: without quotes; a sign as written.
    """

    kind: str
    text: str
    span: Span

    @property
    def upper(self) -> str:
        """As a keyword; empty for what is none."""
        return self.text.upper() if self.kind == WORD else ""


_KINDS = {
    TokenType.IDENTIFIER: QUOTED,
    TokenType.STRING: TEXT,
    TokenType.NUMBER: NUMBER,
}


def tokens_of(text: str, findings: Findings) -> tuple[Token, ...]:
    """The tokens of a query, with an END behind them.

    Raises:
        Problem: a text, name or comment does not end.
    """
    return (*_tokens(text, findings), Token(END, "", Span(len(text), len(text))))


def _tokens(text: str, findings: Findings) -> Iterator[Token]:
    try:
        cut = ViewSql().tokenize(text)
    except TokenError as problem:
        start = _opened(text)
        if start is None:
            start = min(getattr(problem, "start", None) or 0, len(text))
        findings.add(Span(start, start + 1), f"{text[start : start + 1] or 'this'} is never closed")
        findings.raise_if_any()
        return
    for one in cut:
        span = Span(one.start, one.end + 1)
        kind = _KINDS.get(one.token_type)
        if kind is None:
            word = one.text[:1].isalpha() or one.text[:1] == "_"
            kind = WORD if word and one.token_type is TokenType.VAR else SIGN
        yield Token(kind, one.text, span)


def _opened(text: str) -> int | None:
    """Where the quote stands that nothing closes."""
    position, open_at, mark = 0, None, ""
    while position < len(text):
        character = text[position]
        if mark:
            if text.startswith(mark * 2, position):
                position += 1  # a quote in quotes
            elif character == mark:
                mark = ""
        elif character in "'`":
            mark, open_at = character, position
        elif text.startswith("--", position):
            end = text.find("\n", position)
            position = len(text) if end < 0 else end
        elif text.startswith("/*", position):
            end = text.find("*/", position)
            if end < 0:
                return position
            position = end + 1
        position += 1
    return open_at if mark else None
