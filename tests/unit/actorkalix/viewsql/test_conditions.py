"""Text search: what is found, and when its table leads (VW-39)."""

from __future__ import annotations

import msgspec

from tests.unit.actorkalix.viewsql.tables import Purchase, answer, compiled


class Total(msgspec.Struct):
    count: int


def test_text_search_in_languages() -> None:
    """VW-39."""
    found = compiled("SELECT * FROM purchases WHERE text_search(note, 'x', 'english')", Purchase)
    assert [one.language for one in found.searches] == ["english"]

    def search(condition: str) -> str:
        text = f"SELECT * FROM purchases WHERE {condition} ORDER BY customer"
        return "".join(one.customer[0] for one in answer(text, Purchase, streams=True))

    assert search("text_search(note, 'pens runs', 'english')") == "A"
    assert search("text_search(note, 'PEN', 'english')") == "AB"
    assert search("text_search(note, 'the pen', 'english')") == "AB"
    assert search("text_search(note, 'pen')") == "A"
    assert search("text_search(note, 'pens')") == "B"
    assert search("text_search(note, '')") == ""
    assert search("NOT text_search(note, 'pen')") == "B"
    assert search("NOT text_search(note, 'red', 'english') OR amount > 5") == "AB"


class Found(msgspec.Struct):
    purchases: list[Purchase]
    total: int = 0
    page: str = ""


class Counted(msgspec.Struct):
    product: str
    customers: list[str]
    count: int


class AllCounted(msgspec.Struct):
    products: list[Counted]


def test_a_search_leads_where_nobody_goes_on_behind_its_rows() -> None:
    """A common word takes no longer than a rare one, where a LIMIT takes few rows."""
    where = "WHERE text_search(note, 'pen', 'english') AND amount > 1"
    text = f"SELECT * AS purchases, total_count() AS total FROM purchases {where} LIMIT 1"
    query = compiled(text, Found)
    assert "CROSS JOIN" in query.sqlite[0]
    assert 'ORDER BY "s1".rowid' in query.sqlite[0]
    found = answer(text, Found)
    assert (found.total, [one.customer for one in found.purchases]) == (2, ["Ann"])
    assert answer(f"SELECT count(*) FROM purchases {where}", Total) == Total(2)
    assert answer(f"SELECT * FROM purchases {where} ORDER BY at DESC", Purchase).customer == "Bob"
    groups = answer(
        "SELECT (product, customer AS customers, count(*) AS count) AS products "
        f"FROM purchases {where} AND text_search(note, 'ran', 'english')",
        AllCounted,
    )
    assert groups == AllCounted([Counted("pen", ["Bob"], 1)])
    paged = (
        f"SELECT * AS purchases, next_page_token() AS page FROM purchases {where} LIMIT 1 OFFSET "
    )
    for plain in (
        compiled(paged + "page_token_offset(:p)", Found, {"p": str}),
        compiled(f"SELECT * FROM purchases {where}", Purchase, streams=True),
        compiled(f"SELECT * FROM purchases {where}", Purchase, stream_updates=True),
        compiled(f"SELECT * FROM purchases {where.replace('AND', 'OR')}", Purchase),
        compiled(f"SELECT p.* FROM purchases AS p JOIN customers AS c ON TRUE {where}", Purchase),
        compiled(f"SELECT p.* FROM (SELECT * FROM purchases {where}) AS p", Purchase),
    ):
        assert "CROSS JOIN" not in plain.sqlite[0]
