"""Values and conditions of a query; parsing.py reads the clauses around them."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Literal, NoReturn

from actorkalix.limits import VIEW_SQL_TERMS_MAX
from actorkalix.viewsql.cursor import RESERVED, Cursor
from actorkalix.viewsql.dialect import NUMBER, QUOTED, SIGN, TEXT, WORD
from actorkalix.viewsql.syntax import (
    AnyOf,
    Arithmetic,
    Binary,
    Call,
    Cast,
    Collect,
    Compare,
    Comparison,
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
    Star,
)

_CONSTANTS = {"NULL": None, "TRUE": True, "FALSE": False}
_COMPARISONS: dict[str, Comparison] = {
    "=": "=",
    "!=": "!=",
    "<>": "!=",
    "<": "<",
    "<=": "<=",
    ">": ">",
    ">=": ">=",
}
_ARITHMETIC: dict[str, Arithmetic] = {one: one for one in ("+", "-", "*", "/", "%", "||")}


class Terms(Cursor):
    """Reads values and conditions."""

    item: Callable[[], Item]
    """Reads what is selected; the clauses know how."""

    # ---- conditions -----------------------------------------------------------------------------
    def expr(self) -> Expr:
        """A condition or a value."""
        return self._chain("OR", self._and)

    def _and(self) -> Expr:
        return self._chain("AND", self._not)

    def _chain(self, word: Literal["AND", "OR"], read: Callable[[], Expr]) -> Expr:
        found = [read()]
        while self.take_word(word):
            found.append(read())
            if len(found) > VIEW_SQL_TERMS_MAX:
                self.fail(f"there are {VIEW_SQL_TERMS_MAX} conditions in a row at most; use IN")
        if len(found) == 1:
            return found[0]
        span = found[0].span.to(found[-1].span)
        return Logic(span=span, operator=word, values=tuple(found))

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
        return Compare(span=span, operator=operator, left=left, right=right, at=sign.span)

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
        return Logic(span=left.span.to(last.span), operator="AND", values=(low, high))

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
        return Binary(
            span=span, operator=_ARITHMETIC[sign.text], left=left, right=right, at=sign.span
        )

    def _signed(self) -> Expr:
        begun = self.here.span
        if not self.take_sign("-"):
            self.take_sign("+")
            return self._cast()
        value = self._signed()
        span = begun.to(value.span)
        number = value.value if isinstance(value, Constant) else None
        if isinstance(number, Decimal):
            return Constant(span=span, value=number.copy_negate())
        if isinstance(number, int) and not isinstance(number, bool):
            return Constant(span=span, value=-number)
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
        if not self.is_name():
            self._no_value()
        return self._path()

    def _no_value(self) -> NoReturn:
        token = self.here
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
            return self._collect(token.span, distinct)
        if name == "cast":
            return self._cast_call(token.span)
        star = not distinct and self.take_sign("*")
        arguments: list[Expr] = []
        if not star and not self.is_sign(")"):
            arguments.append(self.expr())
            while self.take_sign(","):
                arguments.append(self.expr())
        span = token.span.to(self.sign(")"))
        return Call(span=span, name=name, arguments=tuple(arguments), distinct=distinct, star=star)

    def _collect(self, begun: Span, distinct: bool) -> Expr:
        items = [self.item()]
        while self.take_sign(","):
            items.append(self.item())
        span = begun.to(self.sign(")"))
        only = items[0]
        inner = only.value
        if len(items) == 1 and isinstance(inner, Group) and only.alias is None:
            return Collect(span=span, items=inner.items, distinct=distinct)
        return Collect(span=span, items=tuple(items), distinct=distinct)

    def _cast_call(self, begun: Span) -> Expr:
        value = self.expr()
        self.word("AS")
        at = self.here.span
        kind = self.name("the type behind AS").lower()
        return Cast(span=begun.to(self.sign(")")), value=value, type=kind, at=at)


def _is_star(item: Item) -> bool:
    return isinstance(item.value, Star)
