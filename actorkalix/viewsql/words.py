"""Words of a text as `text_search` compares them: the same for rows and for queries (VW-39).

A word is a run of letters and digits, in lower case; `simple` knows no more. The other languages
take their stop words away and cut each word to its stem, by the Snowball algorithms. A stop word of
a query asks nothing; a query of stop words alone finds nothing, as one without words.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

import msgspec

from actorkalix.viewsql.stop_words import STOP_WORDS

LANGUAGES = (
    "danish",
    "dutch",
    "english",
    "finnish",
    "french",
    "german",
    "hungarian",
    "italian",
    "norwegian",
    "portuguese",
    "romanian",
    "russian",
    "simple",
    "spanish",
    "swedish",
    "turkish",
)
_NOTHING = '"_"'  # no word has a line; a query that is empty is an error
_WORD = re.compile(r"[^\W_]+")


class TextSearch(msgspec.Struct, frozen=True, order=True):
    """A text search that a query needs.

    Attributes:
        table: its name.
        column: dotted name of the column, of texts or of a list of texts.
        language: one of LANGUAGES.
    """

    table: str
    column: str
    language: str


def words_of(text: str, language: str) -> str:
    """The words of a text, normalised, with blanks between.

    Args:
        text: any.
        language: one of LANGUAGES.
    """
    return " ".join(_stems(text, language))


def match_of(text: str, language: str) -> str:
    """A query of FTS5 for rows that have all words of a text; without words it finds none."""
    return " ".join(f'"{word}"' for word in dict.fromkeys(_stems(text, language))) or _NOTHING


def _stems(text: str, language: str) -> Iterable[str]:
    # NFC: é as one letter and as e with an accent are one word.
    plain = unicodedata.normalize("NFC", text)
    if language == "turkish":
        plain = plain.replace("I", "\u0131").replace("\u0130", "i")  # which lower() does not know
    words = _WORD.findall(unicodedata.normalize("NFC", plain.lower()))
    if language == "simple":
        return words
    stops = STOP_WORDS[language]
    stem = _stemmer(language)
    return [stem(word) for word in words if word not in stops]


@cache
def _stemmer(language: str) -> Callable[[str], str]:
    import snowballstemmer  # 30 ms, for those who search

    module: Any = snowballstemmer
    stem: Callable[[str], str] = module.stemmer(language).stemWord
    return stem
