"""Errors of streams between services."""

from __future__ import annotations

from .base import ActorkalixError


class StreamNotOffered(ActorkalixError):
    """The service offers the stream to others, and not to the one that asks for it.

    The consumer waits, and goes on when it is let in; nothing is lost meanwhile.

    What to do: name the service in `public_stream(..., allow=[...])` of the one that offers it.
    """

    number = "AK2021"
    code = "permission_denied"
    http_status = 403


class UnknownStream(ActorkalixError):
    """The other service is there, and offers no stream of this name.

    The consumer waits, and begins when a version of that service runs that offers it.

    What to do: compare the names; the message says which streams there are.
    """

    number = "AK2022"
    code = "not_found"
    http_status = 404


class ServiceNotThere(ActorkalixError):
    """The service whose stream is taken does not run on this Ray cluster, or does not answer.

    The consumer waits, and goes on where it was when that service is back.

    What to do: start both with `actorkalix run --address` and the same address; compare the names.
    """

    number = "AK3010"
    code = "unavailable"
    http_status = 503


class StreamSetBack(ActorkalixError):
    """Messages of a stream were taken that the service which offers it does not have any more.

    It was restored from a backup, or began anew. What was made of these messages here stays; from
    where the two histories part on, its messages are taken as they are there now.

    What to do: nothing where that is so; compare the two services where the messages matter.
    """

    number = "AK4013"
    code = "data_loss"
