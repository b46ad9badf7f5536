"""Values and conditions of a query; parsing.py reads the clauses around them."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import NoReturn

from actorkalix.sql.dialect import END, NUMBER, QUOTED, SIGN, TEXT, WORD, Token, tokens_of
from actorkalix.sql.problems import Findings, meant
from actorkalix.sql.syntax import (
    AnyOf,
    Binary,
    Call,
    Cast,
    Collect,
    Compare,
    Constant,
    Expr,
    Group,
    In,
    IsNull,
    Item,
    Like,
    Logic,
    Negative,
    Not,
    Param,
    Path,
    Span,
)

RESERVED = frozenset(
    [
        "SELECT",
        "FROM",
        "WHERE",
        "GROUP",
        "BY",
        "HAVING",
        "ORDER",
        "OFFSET",
        "LIMIT",
        "JOIN",
        "INNER",
        "LEFT",
        "RIGHT",
        "FULL",
        "OUTER",
        "ON",
        "AND",
        "OR",
        "NOT",
        "IN",
        "IS",
        "LIKE",
        "ILIKE",
        "BETWEEN",
        "AS",
        "ASC",
        "DESC",
        "ANY",
        "NULL",
        "TRUE",
        "FALSE",
        "DISTINCT",
    ]
)
_CONSTANTS = {"NULL": None, "TRUE": True, "FALSE": False}
_COMPARISONS = {"=": "=", "!=": "!=", "<>": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
_WORD = re.compile(r"[^\W\d]\w*")


class Terms:
    """A cursor over tokens, and the values that it reads."""

    item: Callable[[], Item]

    def __init__(self, text: str, findings: Findings) -> None:
        self.text = text
        self.depth = 0
        self._findings = findings
        self._tokens = tokens_of(text, findings)
        self._at = 0

    # ---- the cursor -----------------------------------------------------------------------------
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

    def near(self, word: str) -> str:
        """What to say where another word stands in a keyword's place."""
        found = meant(self.here.text, [word]) if self.here.kind == WORD else ""
        return found if "did you mean" in found else ""

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

    # ---- conditions -----------------------------------------------------------------------------
    def expr(self) -> Expr:
        """A condition or a value."""
        found = self._and()
        while self.take_word("OR"):
            right = self._and()
            found = Logic(span=found.span.to(right.span), operator="OR", left=found, right=right)
        return found

    def _and(self) -> Expr:
        found = self._not()
        while self.take_word("AND"):
            right = self._not()
            found = Logic(span=found.span.to(right.span), operator="AND", left=found, right=right)
        return found

    def _not(self) -> Expr:
        begun = self.here.span
        if not self.take_word("NOT"):
            return self._comparison()
        value = self._not()
        return Not(span=begun.to(value.span), value=value)

    def _comparison(self) -> Expr:
        left = self.value()
        if self.here.kind == SIGN and self.here.text in _COMPARISONS:
            return self._compared(left)
        if self.take_word("IS"):
            negated = self.take_word("NOT")
            end = self.word("NULL")
            found: Expr = IsNull(span=left.span.to(end), value=left)
            return Not(span=found.span, value=found) if negated else found
        negated = self.is_word("NOT")
        if negated:
            self.next()
        if self.here.upper in ("IN", "LIKE", "ILIKE", "BETWEEN"):
            found = self._tested(left, self.next().upper)
            return Not(span=found.span, value=found) if negated else found
        if negated:
            self.fail("behind NOT stands IN, LIKE, ILIKE or BETWEEN")
        return left

    def _compared(self, left: Expr) -> Expr:
        sign = self.next()
        operator = _COMPARISONS[sign.text]
        if self.is_word("ANY"):
            self.next()
            self.sign("(")
            array = self.value()
            span = left.span.to(self.sign(")"))
            if operator != "=":
                self.fail("ANY stands behind = alone; write NOT value = ANY(...)", sign.span)
            return AnyOf(span=span, value=left, array=array)
        right = self.value()
        if self.here.kind == SIGN and self.here.text in _COMPARISONS:
            self.fail("comparisons do not chain; put AND between two of them")
        span = left.span.to(right.span)
        return Compare(span=span, operator=operator, left=left, right=right, at=sign.span)  # type: ignore[arg-type]

    def _tested(self, left: Expr, word: str) -> Expr:
        at = self.before.span
        if word == "IN":
            self.sign("(")
            if self.is_sign(")"):
                self.fail("IN has one value at least")
            if self.is_word("SELECT"):
                self.fail("sub-queries stand in FROM; join the table instead")
            items = [self.value()]
            while self.take_sign(","):
                items.append(self.value())
            return In(span=left.span.to(self.sign(")")), value=left, items=tuple(items))
        right = self.value()
        if word != "BETWEEN":
            span = left.span.to(right.span)
            return Like(span=span, value=left, pattern=right, folded=word == "ILIKE")
        self.word("AND")
        last = self.value()
        low = Compare(span=left.span.to(right.span), operator=">=", left=left, right=right, at=at)
        high = Compare(span=left.span.to(last.span), operator="<=", left=left, right=last, at=at)
        return Logic(span=left.span.to(last.span), operator="AND", left=low, right=high)

    # ---- values ---------------------------------------------------------------------------------
    def value(self) -> Expr:
        """A value: no comparison outside of parentheses."""
        found = self._sum()
        while self.is_sign("||"):
            found = self._binary(found, self._sum)
        return found

    def _sum(self) -> Expr:
        found = self._product()
        while self.is_sign("+") or self.is_sign("-"):
            found = self._binary(found, self._product)
        return found

    def _product(self) -> Expr:
        found = self._signed()
        while self.is_sign("*") or self.is_sign("/") or self.is_sign("%"):
            found = self._binary(found, self._signed)
        return found

    def _binary(self, left: Expr, read: Callable[[], Expr]) -> Expr:
        sign = self.next()
        right = read()
        span = left.span.to(right.span)
        return Binary(span=span, operator=sign.text, left=left, right=right, at=sign.span)  # type: ignore[arg-type]

    def _signed(self) -> Expr:
        begun = self.here.span
        if not self.take_sign("-"):
            self.take_sign("+")
            return self._cast()
        value = self._signed()
        span = begun.to(value.span)
        if (
            isinstance(value, Constant)
            and isinstance(value.value, int | Decimal)
            and not isinstance(value.value, bool)
        ):
            return (
                Constant(span=span, value=value.value.copy_negate())
                if isinstance(value.value, Decimal)
                else Constant(span=span, value=-value.value)
            )
        return Negative(span=span, value=value)

    def _cast(self) -> Expr:
        found = self._primary()
        while self.take_sign("::"):
            at = self.here.span
            name = self.name("the type behind ::")
            found = Cast(span=found.span.to(at), value=found, type=name.lower(), at=at)
        return found

    def _primary(self) -> Expr:
        token = self.here
        if token.kind == TEXT:
            return Constant(span=self.next().span, value=token.text)
        if token.kind == NUMBER or self.is_sign("."):
            return self._number()
        if token.upper in _CONSTANTS:
            return Constant(span=self.next().span, value=_CONSTANTS[token.upper])
        if self.take_sign(":"):
            return self._param(token.span)
        if self.is_sign("("):
            return self._parenthesis()
        if token.kind == WORD and self.sign_at(1, "("):
            return self._call()
        if self.is_name():
            return self._path()
        if token.upper in RESERVED:
            self.fail(
                f"a value is missing; {token.text} is a keyword, as a name it needs backticks"
            )
        if self.is_sign('"'):
            self.fail("names stand in backticks, texts in single quotes")
        if self.is_sign("*"):
            self.fail("* stands alone, or behind the name of a table")
        self.fail(f"a value is missing, there is {self.shown()}")

    def _number(self) -> Expr:
        span = self.here.span
        text = "." if self.take_sign(".") else ""
        if self.here.kind != NUMBER:
            self.fail("a number is missing behind the point")
        span = span.to(self.here.span)
        text += self.next().text
        try:
            value = int(text) if text.isdigit() else Decimal(text)
        except (InvalidOperation, ValueError):
            self.fail(f"{text} is no number", span)
        if self.here.kind == WORD and self.here.span.start == span.end:
            self.fail(f"{text}{self.here.text} is no number", span.to(self.here.span))
        return Constant(span=span, value=value)

    def _param(self, begun: Span) -> Expr:
        if self.here.kind not in (WORD, QUOTED) or self.here.span.start != begun.end:
            self.fail("the name of a parameter is missing behind :", begun)
        token = self.next()
        return Param(span=begun.to(token.span), name=token.text)

    def _parenthesis(self) -> Expr:
        begun = self.sign("(")
        if self.is_word("SELECT"):
            self.fail("sub-queries stand in FROM; join the table instead")
        self.depth += 1
        if self.depth > 100:
            self.fail("parentheses are nested 100 deep at most")
        items = [self.item()]
        while self.take_sign(","):
            items.append(self.item())
        span = begun.to(self.sign(")"))
        self.depth -= 1
        only = items[0]
        if len(items) == 1 and only.alias is None and not _is_star(only):
            return only.value
        return Group(span=span, items=tuple(items))

    def _path(self) -> Path:
        tokens = [self.next()]
        while self.is_sign(".") and not self.sign_at(1, "*"):
            self.next()
            if self.here.kind not in (WORD, QUOTED):
                self.fail(f"a name is missing behind the point, there is {self.shown()}")
            tokens.append(self.next())
        return Path(
            span=tokens[0].span.to(tokens[-1].span),
            parts=tuple(one.text for one in tokens),
            places=tuple(one.span for one in tokens),
        )

    def _call(self) -> Expr:
        token = self.next()
        name = token.text.lower()
        self.sign("(")
        distinct = self.take_word("DISTINCT")
        if name == "collect":
            items = [self.item()]
            while self.take_sign(","):
                items.append(self.item())
            span = token.span.to(self.sign(")"))
            only = items[0].value
            if len(items) == 1 and isinstance(only, Group) and items[0].alias is None:
                return Collect(span=span, items=only.items, distinct=distinct)
            return Collect(span=span, items=tuple(items), distinct=distinct)
        if name == "cast":
            value = self.expr()
            self.word("AS")
            at = self.here.span
            kind = self.name("the type behind AS").lower()
            return Cast(span=token.span.to(self.sign(")")), value=value, type=kind, at=at)
        star = not distinct and self.take_sign("*")
        arguments: list[Expr] = []
        if not star and not self.is_sign(")"):
            arguments.append(self.expr())
            while self.take_sign(","):
                arguments.append(self.expr())
        span = token.span.to(self.sign(")"))
        return Call(span=span, name=name, arguments=tuple(arguments), distinct=distinct, star=star)


def _is_star(item: Item) -> bool:
    return type(item.value).__name__ == "Star"


def _slice(span: Span) -> slice:
    return slice(span.start, span.end)
