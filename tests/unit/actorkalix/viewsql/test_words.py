"""Words of texts: sixteen languages, their stems and stop words."""

from __future__ import annotations

import sqlite3

import pytest

from actorkalix.viewsql.words import LANGUAGES, match_of, words_of


@pytest.mark.parametrize(
    "language,one,other",
    [
        ("danish", "bøgerne", "bog bøger"),
        ("dutch", "lopende", "lopen"),
        ("english", "connections", "connected"),
        ("finnish", "taloissa", "talo"),
        ("french", "mangeaient", "manger"),
        ("german", "Häusern", "Haus Häuser"),
        ("hungarian", "házakban", "házak"),
        ("italian", "parlavano", "parlare"),
        ("norwegian", "husene", "hus"),
        ("portuguese", "correndo", "correr"),
        ("romanian", "caselor", "casă"),
        ("russian", "книгами", "книга"),
        ("spanish", "corriendo", "correr"),
        ("swedish", "husen", "hus"),
        ("turkish", "kitaplar", "kitap"),
    ],
)
def test_words_of_one_stem_are_one_word(language: str, one: str, other: str) -> None:
    assert words_of(one, language) in words_of(other, language).split()


def test_there_are_the_languages_of_vw_39() -> None:
    assert len(LANGUAGES) == 16
    assert all(words_of("x1", language) == "x1" for language in LANGUAGES)


def test_simple_is_lower_case_alone() -> None:
    assert words_of("The PENS, running-out: (42) über_all!", "simple") == (
        "the pens running out 42 über all"
    )
    assert words_of("é", "simple") == words_of("e\u0301", "simple")


def test_stop_words_ask_nothing() -> None:
    assert words_of("the pen and the ink", "english") == "pen ink"
    assert match_of("the", "english") == '"_"'
    assert match_of("Pens pens PEN", "english") == '"pen"'


def test_turkish_i_has_two_forms() -> None:
    assert words_of("IŞIK", "turkish") == words_of("\u0131ş\u0131k", "turkish")
    assert words_of("İYİ", "turkish") == words_of("iyi", "turkish")


@pytest.mark.parametrize(
    "text", ['a" OR "b', "a* b", "NEAR(a b)", "a:b ^c -d", "", "'", "AND OR NOT"]
)
def test_a_query_is_always_one_for_fts5(text: str) -> None:
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE VIRTUAL TABLE t USING fts5(words, detail=none)")
    connection.execute("INSERT INTO t VALUES (?)", (words_of(text, "simple"),))
    found = connection.execute(
        "SELECT count(*) FROM t WHERE t MATCH ?", (match_of(text, "simple"),)
    )
    assert found.fetchone()[0] == bool(words_of(text, "simple"))
