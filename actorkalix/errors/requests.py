"""AK2xxx: errors of one command. The request is at fault, or the handler that it met."""

from __future__ import annotations

from .base import ActorkalixError


class InvalidPayload(ActorkalixError):
    """The request's body or parameters do not fit the handler.

    The message names the field and what is wanted.

    What to do: mend the field it names. `GET` parameters come from the query string, others from a
    JSON body.
    """

    number = "AK2002"
    code = "invalid_argument"
    http_status = 400


class UnknownRoute(ActorkalixError):
    """No component, handler, route, consumer or dead letter has this name.

    What to do: `actorkalix components module:service` lists components, handlers and routes,
    `actorkalix consumers` and `actorkalix dead-letters` what their names say.
    """

    number = "AK2003"
    code = "not_found"
    http_status = 404


class MethodNotAllowed(ActorkalixError):
    """The route exists, for another HTTP method; the `Allow` header names those that it has.

    What to do: commands are `POST`, queries answer `GET` and `POST`.
    """

    number = "AK2004"
    code = "unimplemented"
    http_status = 405


class InvalidEntityId(ActorkalixError):
    """An entity id is empty, longer than 256 bytes of UTF-8, or has control characters.

    What to do: use another id; long ones are usually hashed first.
    """

    number = "AK2005"
    code = "invalid_argument"
    http_status = 400


class PayloadTooLarge(ActorkalixError):
    """A request is larger than its limit; the message names both sizes.

    What to do: send less, or raise the limit in `Service(limits=Limits(...))`.
    """

    number = "AK2006"
    code = "out_of_range"
    http_status = 413


class InvalidIdempotencyKey(ActorkalixError):
    """The `Idempotency-Key` is not 1 to 128 bytes of UTF-8 without control characters.

    What to do: use a UUID or a hash.
    """

    number = "AK2007"
    code = "invalid_argument"
    http_status = 400


class IdempotencyKeyReused(ActorkalixError):
    """Another request was sent to this entity under this idempotency key within 24 hours.

    What to do: make a new key for a new request; send the same request again to get its stored
    reply.
    """

    number = "AK2008"
    code = "failed_precondition"
    http_status = 422


class EntityDeleted(ActorkalixError):
    """The entity was deleted or has expired and takes no more changes.

    Its id begins anew when it is cleaned up, after 7 days.

    What to do: read it, or use another id.
    """

    number = "AK2009"
    code = "failed_precondition"
    http_status = 409


class HandlerFailed(ActorkalixError):
    """The handler raised something that is not a `CommandError`. Nothing was stored.

    The caller sees a correlation id and no more; the log has the same id with the stack trace.
    What to do: look the id up in the log; raise `CommandError` where the caller should see a
    reason.
    """

    number = "AK2010"


class InvalidEffect(ActorkalixError):
    """A handler returned no effect, or one that it may not return. Nothing was stored.

    What to do: end commands with `.then_reply(...)` or `self.effects.reply(...)`; queries must not
    persist.
    """

    number = "AK2011"


class NotEncodable(ActorkalixError):
    """An event, state or reply cannot be written in its declared type. Nothing was stored.

    What to do: give it the declared type; integers have 64 bits.
    """

    number = "AK2012"


class SlowBody(ActorkalixError):
    """The request's body did not arrive in time.

    What to do: send it at once; the limit is `body_timeout`.
    """

    number = "AK2013"
    code = "deadline_exceeded"
    http_status = 408


class SlowReader(ActorkalixError):
    """The reader of a stream took nothing of it for half a minute; the stream was ended.

    What was sent until then is still on its way to the reader.
    What to do: read faster, or ask for less; go on with the id of the last event, as
    `Last-Event-ID`.
    """

    number = "AK2037"
    code = "resource_exhausted"
    http_status = 429


class ResultTooLarge(ActorkalixError):
    """A reply, event or state that the service made is larger than its limit. Nothing was stored.

    What to do: make it smaller (split the entity, page the reply), or raise the limit in
    `Service(limits=Limits(...))`.
    """

    number = "AK2014"


class HandlerWaits(ActorkalixError):
    """A handler slept, used a socket or started a process: development mode forbids it.

    A handler has the event loop of its host for itself; while it waits, no other entity there is
    answered. Nothing was stored. The caller sees a correlation id, the log has the same id with
    the text and the stack; test kits raise it.
    What to do: wait in an action and send the result to the entity as a command; for a later time
    use `expire_after` or a timer.
    """

    number = "AK2015"


class CallsTooDeep(ActorkalixError):
    """A call led to a call, which led to another, more often than `call_depth_max`; not executed.

    Usually a handler calls or forwards to one that leads back to it.

    What to do: the message names the last one; look for the circle.
    """

    number = "AK2016"
    code = "failed_precondition"
    http_status = 508


class InvalidTimer(ActorkalixError):
    """A timer's name, its cron line or its time zone is none. Nothing was started.

    A name has 1 to 256 bytes of UTF-8 without control characters. A cron line has five fields
    (minute, hour, day of month, month, day of week), and some day on which it comes: "0 0 30 2 *"
    never does.
    What to do: mend what the message names; long names are usually hashed first.
    """

    number = "AK2020"
    code = "invalid_argument"
    http_status = 400
