"""Grammar: what is read, in which precedence, and the first word that does not fit."""

from __future__ import annotations

import pytest

from actorkalix.viewsql.parsing import parse
from actorkalix.viewsql.problems import Findings, Problem
from actorkalix.viewsql.syntax import (
    AnyOf,
    Call,
    Cast,
    Collect,
    Compare,
    Constant,
    Derived,
    Expr,
    Group,
    Logic,
    Not,
    Param,
    Path,
    Select,
    Star,
    walk,
)


def read(text: str) -> Select:
    return parse(text, Findings(text))


def shape(node: Expr | None) -> str:
    """A condition with all its parentheses."""
    match node:
        case Logic(operator=operator, values=values):
            return f"({f' {operator} '.join(shape(one) for one in values)})"
        case Not(value=value):
            return f"NOT {shape(value)}"
        case Path(parts=parts):
            return ".".join(parts)
        case Compare(operator=operator, left=left, right=right):
            return f"{shape(left)}{operator}{shape(right)}"
        case _:
            return type(node).__name__


def wrong(text: str) -> tuple[str, str]:
    with pytest.raises(Problem) as caught:
        read(text)
    (error,) = caught.value.errors
    line = text.split("\n")[error.line - 1]
    return line[error.column - 1 : error.column - 1 + error.length], error.message


@pytest.mark.parametrize(
    "condition,meant",
    [
        ("NOT a AND b", "(NOT a AND b)"),
        ("a OR b AND c", "(a OR (b AND c))"),
        ("(a OR b) AND c", "((a OR b) AND c)"),
        ("NOT a = b OR c", "(NOT a=b OR c)"),
        ("a <> b", "a!=b"),
        ("a BETWEEN b AND c AND d", "((a>=b AND a<=c) AND d)"),
        ("a NOT BETWEEN b AND c", "NOT (a>=b AND a<=c)"),
        ("a IS NOT NULL", "NOT IsNull"),
        ("a NOT IN (1, :b)", "NOT In"),
        ("a NOT LIKE 'x'", "NOT Like"),
        ("`a b`.`c``d`.e", "a b.c`d.e"),
    ],
)
def test_precedence_is_that_of_vw_31(condition: str, meant: str) -> None:
    assert shape(read(f"SELECT * FROM t WHERE {condition}").where) == meant


def test_all_clauses_in_their_order() -> None:
    query = read(
        "select *, t.* as a, b.c AS d, ( e, f AS g ) AS h, collect(DISTINCT i) as j, count(*)\n"
        "from t AS u LEFT OUTER JOIN `v w` ON u.x = `v w`.y FULL JOIN z ON TRUE -- why\n"
        "where a = ANY(:b) group by a, b having count(*) > 1 order by a desc, b ASC "
        "offset page_token_offset(:page) limit 5;"
    )
    kinds = [type(item.value) for item in query.items]
    assert kinds == [Star, Star, Path, Group, Collect, Call]
    assert [item.alias for item in query.items] == [None, "a", "d", "h", "j", None]
    assert [join.kind for join in query.joins] == ["LEFT", "FULL"]
    assert query.joins[0].source.alias == "v w"
    assert isinstance(query.where, AnyOf)
    assert len(query.group_by) == 2
    assert query.having is not None
    assert [order.descending for order in query.order_by] == [True, False]
    assert isinstance(query.offset, Call)
    assert isinstance(query.limit, Constant)


def test_offset_and_limit_in_either_order() -> None:
    one = read("SELECT * FROM t LIMIT 2 OFFSET :o")
    other = read("SELECT * FROM t OFFSET :o LIMIT 2")
    assert isinstance(one.offset, Param)
    assert isinstance(other.offset, Param)
    assert isinstance(one.limit, Constant)
    assert isinstance(other.limit, Constant)


def test_literals_and_casts() -> None:
    query = read(
        "SELECT -5 AS a, 1.5::numeric AS b, 'it''s' AS c, .5 AS d, CAST(1 AS float) AS e FROM t"
    )
    values = [item.value for item in query.items]
    assert [one.value for one in values if isinstance(one, Constant)].__repr__() == (
        "[-5, \"it's\", Decimal('0.5')]"
    )
    assert [one.type for one in values if isinstance(one, Cast)] == ["numeric", "float"]


def test_sub_queries_stand_in_from() -> None:
    query = read("SELECT * FROM (SELECT a FROM t) AS s JOIN (SELECT b FROM u) AS v ON a = b")
    assert isinstance(query.source, Derived)
    tables = [one for one in walk(query) if isinstance(one, Select)]
    assert len(tables) == 3


@pytest.mark.parametrize(
    "text,where,said",
    [
        ("SELEC * FROM t", "SELEC", "a query begins with SELECT; did you mean SELECT?"),
        ("SELECT * FORM t", "FORM", "AS is missing before FORM; did you mean FROM?"),
        ("SELECT *", "", "FROM is missing"),
        ("SELECT * FROM t WERE a", "WERE", "AS is missing before WERE; did you mean WHERE?"),
        ("SELECT a b FROM t", "b", "AS is missing before b"),
        ("SELECT * FROM t LIMIT 1 WHERE a", "WHERE", "WHERE stands in another place"),
        ("SELECT * FROM t LIMIT 1 LIMIT 2", "LIMIT", "each once"),
        ("SELECT * FROM t GROUP a", "a", "BY is missing behind GROUP"),
        ("SELECT * FROM t, u", ",", "JOIN ... ON ..., not a comma"),
        ("SELECT * FROM t JOIN u", "", "ON is missing"),
        ("SELECT * FROM t CROSS JOIN u ON a", "CROSS", "a join says how rows meet"),
        ("SELECT * FROM t LEFT u ON a", "u", "JOIN is missing behind LEFT"),
        ("SELECT * FROM (SELECT * FROM t)", "", "a sub-query has a name"),
        ("SELECT * FROM t WHERE a IN ()", ")", "IN has one value at least"),
        ("SELECT * FROM t WHERE a = (SELECT 1)", "SELECT", "sub-queries stand in FROM"),
        ("SELECT * FROM t WHERE a = b = c", "=", "comparisons do not chain"),
        ("SELECT * FROM t WHERE a > ANY(b)", ">", "ANY stands behind = alone"),
        ("SELECT * FROM t WHERE a NOT b", "b", "behind NOT stands IN, LIKE, ILIKE or BETWEEN"),
        ("SELECT * FROM t WHERE a AND", "", "a value is missing, there is the end"),
        (
            "SELECT * FROM t WHERE from = 1",
            "from",
            "from is a keyword, as a name it needs backticks",
        ),
        ('SELECT * FROM "t"', '"', "names stand in backticks"),
        ("SELECT * FROM t WHERE a = 'x", "'", "' is never closed"),
        ("SELECT * FROM `t", "`", "` is never closed"),
        ("SELECT * FROM t /* x", "/", "/ is never closed"),
        ("SELECT * FROM t WHERE a = : b", ":", "the name of a parameter is missing"),
        ("SELECT * FROM t WHERE a = 1x", "1x", "1x is no number"),
        ("SELECT * FROM t ORDER BY a NULLS LAST", "NULLS", "nulls come last ascending"),
        ("SELECT * FROM t UNION SELECT * FROM u", "UNION", "ask two queries"),
        ("SELECT * FROM t; DROP TABLE t", "DROP", "DROP does not fit here"),
        ("UPDATE t SET a = 1", "UPDATE", "a query only reads"),
        ("SELECT * FROM t WHERE (a = 1", "", ") is missing"),
        ("SELECT 1 + * FROM t", "*", "* stands alone"),
        ("", "", "a query begins with SELECT"),
    ],
)
def test_the_first_word_that_does_not_fit(text: str, where: str, said: str) -> None:
    found, message = wrong(text)
    assert (found, said in message) == (where, True), message


def test_bounds() -> None:
    assert "65,536 characters" in wrong("SELECT * FROM t" + " " * 70_000)[1]
    deep = "SELECT * FROM " + "(SELECT * FROM " * 9 + "t" + ") AS t" * 9
    assert "nested 8 deep" in wrong(deep)[1]
