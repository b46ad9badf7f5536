"""Errors of views: of their queries, and of waits for them."""

from __future__ import annotations

from .base import ActorkalixError


class QueryTooLarge(ActorkalixError):
    """A query of a view found more than one answer may hold.

    10,000 rows without a LIMIT, 1,000 in a list of the result, or more bytes than
    `payload_bytes_max`.
    What to do: give the query a LIMIT, page it with `page_token_offset(:page)`, or stream it.
    """

    number = "AK2031"
    code = "resource_exhausted"
    http_status = 413


class QueryTooSlow(ActorkalixError):
    """A query of a view took longer than `view_query_timeout`; it was ended.

    Or it took longer than 200 ms while so much was written that the log beside the view's file has
    outgrown 64 MiB: the log is used anew only when nobody reads what is in it.
    What to do: `actorkalix views explain VIEW` says which queries scan a whole table; compare with
    a column that narrows them more.
    """

    number = "AK2032"
    code = "deadline_exceeded"
    http_status = 504


class SubjectParked(ActorkalixError):
    """The view does not get past the change that the caller has seen: its handler fails there.

    The entity, or one that the token cannot tell from it, waits (is *parked*) until the handler
    takes the change; other entities' rows go on.
    What to do: `actorkalix views parked VIEW` names the entity and the failure; mend the handler.
    Without `after` the query answers what there is.
    """

    number = "AK2033"
    code = "aborted"
    http_status = 409


class TokenUnreachable(ActorkalixError):
    """The view can never get to the change that the token names.

    No source of the view is stored where it happened, or it belongs to another history of the
    service: one that was restored from a backup, say.
    What to do: leave `after` and `X-Consistency-Token` away, or take the token of a reply of the
    view's own sources.
    """

    number = "AK2034"
    code = "invalid_argument"
    http_status = 400


class NumberTooLarge(ActorkalixError):
    """A query of a view computes a number that its type does not hold.

    Whole numbers have 64 bits: a `sum`, a product or the like went beyond.
    What to do: narrow the rows that are summed; or have the row class keep the number as `Decimal`,
    or as a float, and sum that.
    """

    number = "AK2038"
    code = "out_of_range"
    http_status = 400


class SqlRefused(ActorkalixError):
    """What was given to `actorkalix sql` is no query that can be answered.

    Only one SELECT is taken, over the tables that `actorkalix sql --tables` lists.
    What to do: mend what the message names.
    """

    number = "AK2035"
    code = "invalid_argument"
    http_status = 400


class ViewBehind(ActorkalixError):
    """The view did not get to the caller's change in time; the query was not executed.

    What to do: ask again; the message says how far the view is. `actorkalix views list` shows its
    lag, and whether it is being rebuilt.
    """

    number = "AK3011"
    code = "deadline_exceeded"
    http_status = 504


class ViewIncomplete(ActorkalixError):
    """The view cannot be asked now: it is being built, or nothing keeps it at the moment.

    What to do: ask again after `Retry-After`; `actorkalix views list` shows its progress.
    """

    number = "AK3012"
    code = "unavailable"
    http_status = 503
    retry_after_ms = 1_000


class RowNotFound(ActorkalixError):
    """The query of a view found no row, and its method declares one.

    What to do: nothing, if there need be none; declared `-> Row | None` the method gives None.
    """

    number = "AK2036"
    code = "not_found"
    http_status = 404
