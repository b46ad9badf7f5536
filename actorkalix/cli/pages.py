"""The pages of the errors: what the docstrings of `actorkalix.errors` say, taken apart."""

from __future__ import annotations

import difflib
import inspect

import msgspec

from actorkalix.errors import ActorkalixError, InvalidCommandLine, catalog

_ADVICE = "What to do:"


class Page(msgspec.Struct, frozen=True):
    """One error's page.

    Attributes:
        number: as AK2003.
        name: of the class.
        meaning: paragraphs.
        what_to_do: one paragraph.
        http_status: of the problem document.
        code: gRPC status name in lower case.
        outcome: `not_executed` or `unknown`.
    """

    number: str
    name: str
    meaning: str
    what_to_do: str
    http_status: int
    code: str
    outcome: str


def pages() -> list[Page]:
    """All pages, by number."""
    return [page_of(error) for error in catalog().values()]


def page_of(error: type[ActorkalixError]) -> Page:
    """The page of a class of errors."""
    text = inspect.cleandoc(error.__doc__ or "")
    meaning, _, rest = text.partition(_ADVICE)
    advice = rest.partition("\n\n")[0]
    return Page(
        error.number,
        error.__name__,
        "\n\n".join(" ".join(paragraph.split()) for paragraph in meaning.strip().split("\n\n")),
        " ".join(advice.split()),
        error.http_status,
        error.code,
        error.outcome,
    )


def find(wanted: str) -> Page:
    """The page of `AK2003`, `2003` or `UnknownRoute`, in any case of letters.

    Raises:
        InvalidCommandLine: there is no such page; the message names the nearest.
    """
    known = pages()
    name = wanted.strip().upper()
    for page in known:
        if name in (page.number, page.number.removeprefix("AK"), page.name.upper()):
            return page
    names = [page.number for page in known]
    near = difflib.get_close_matches(name if name.startswith("AK") else f"AK{name}", names, n=3)
    hint = f"; near it: {', '.join(near)}" if near else ""
    raise InvalidCommandLine(
        f"there is no error {wanted[:80]!r}{hint}; `actorkalix explain` lists all"
    )
