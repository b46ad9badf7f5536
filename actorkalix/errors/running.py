"""AK30xx, AK31xx and AK5xxx: errors of a running service, and of one that cannot start."""

from __future__ import annotations

from .base import ActorkalixError


class Overloaded(ActorkalixError):
    """More commands wait than the host takes; this one was not executed.

    What to do: send it again after `Retry-After`; a client with backoff does.
    """

    number = "AK3001"
    code = "unavailable"
    http_status = 503


class Draining(ActorkalixError):
    """The host is stopping and takes no more commands; this one was not executed.

    What to do: send it again; another host or the next start answers.
    """

    number = "AK3002"
    code = "unavailable"
    http_status = 503


class StoreFull(ActorkalixError):
    """The disk of the data folder is full. Nothing of the command was stored; reads go on.

    What to do: free space on the disk; nothing else needs to be done.
    """

    number = "AK3003"
    code = "resource_exhausted"
    http_status = 507


class OwnerAway(ActorkalixError):
    """The host that owns the entity's shard is not there now; the command was not executed.

    What to do: send it again after `Retry-After`.
    """

    number = "AK3004"
    code = "unavailable"
    http_status = 503


class DeadlinePassed(ActorkalixError):
    """The command's time was over before it began; it was not executed.

    What to do: send it again with more time.
    """

    number = "AK3005"
    code = "deadline_exceeded"
    http_status = 504


class NotCommitted(ActorkalixError):
    """The command was worked out and then left out of its commit, alone; it was not executed.

    What it rested on had failed, or its shard has another owner.
    What to do: send it again.
    """

    number = "AK3006"
    code = "aborted"
    http_status = 503


class ComponentBlocked(ActorkalixError):
    """The component answers nothing until the service is started again; nothing was executed.

    Its handlers have held the event loop of their host: three times for 100 ms or longer, or once
    for 10 s, which ends the host. While one holds it, no entity of any component there is
    answered. So this component is set aside and the others go on.

    What to do: the log has the handler, the entity, and the stack at each of these times. Move
    what waits or computes into an action, then start the service again; the limits are
    `handler_slow`, `handler_strikes_max` and `handler_hang`.
    """

    number = "AK3007"
    code = "unavailable"
    http_status = 503


class EntityProcessEnded(ActorkalixError):
    """The process of its own in which the entity runs ended, or could not be started.

    It was killed (the machine may be out of memory), a handler ended it, or a handler had not come
    back after `handler_hang` and it was killed for that. What ran there was not stored, and nothing
    that was stored is lost: the next command finds the entity in a new process.

    What to do: send it again. If it goes on, the log says how the process ended, and what it
    printed.
    """

    number = "AK3008"
    code = "unavailable"
    http_status = 503


class NoRoomForEntity(ActorkalixError):
    """No node has the resources that the process of the entity needs; nothing was executed.

    `hosting=Dedicated(num_cpus=..., num_gpus=..., memory=...)` sets them aside for each live
    instance, and others hold them now. They are given back when an instance was idle for
    `idle_stop`, and before that where one waits on the same host.

    What to do: send it again after `Retry-After`. Where it happens often: ask for less, shorten
    `idle_stop`, or add a node.
    """

    number = "AK3009"
    code = "unavailable"
    http_status = 503


class OutcomeUnknown(ActorkalixError):
    """Nobody knows whether the command was executed.

    The answer did not come in time, or its host died.

    What to do: send it again only with the `Idempotency-Key` of the first time, or read the entity
    first.
    """

    number = "AK3101"
    code = "deadline_exceeded"
    http_status = 504
    outcome = "unknown"


class DurabilityLost(ActorkalixError):
    """The disk refused a sync: what is stored is not known, and the host ended to find out.

    What to do: look at the disk; the service recovers by itself if the disk does.
    """

    number = "AK3102"
    code = "unavailable"
    http_status = 503
    outcome = "unknown"


class PortTaken(ActorkalixError):
    """Another process listens on the port.

    What to do: stop it or use another port with `--port` or `--admin-port`.
    """

    number = "AK5001"
    code = "failed_precondition"


class AdminUnreachable(ActorkalixError):
    """No service answers at the admin address, or something answers that is not one.

    What to do: check `--admin`, start the service, or read its folder at rest with `--data`.
    """

    number = "AK5002"
    code = "unavailable"
    http_status = 503


class InvalidCommandLine(ActorkalixError):
    """The command line cannot be read as it was typed.

    What to do: `actorkalix --help` lists the commands, `actorkalix COMMAND --help` the options of
    one.
    """

    number = "AK5003"
    code = "invalid_argument"
    http_status = 400


class HostKeepsDying(ActorkalixError):
    """Host processes died five times within 60 seconds; nothing is started again.

    What to do: read what the log says before each end; `actorkalix verify DATA` checks the stored
    data.
    """

    number = "AK5004"


class RayFailed(ActorkalixError):
    """Ray could not be started, or one of its processes ended.

    Everything else of the service was ended too.

    What was acknowledged is stored.
    What to do: start the service again; Ray's own logs are where the message says.
    """

    number = "AK5005"


class PreparationEnded(ActorkalixError):
    """The process that makes stores and moves shards before a start was ended from outside.

    Nothing is lost: each shard is where it was, or where it goes.

    What to do: start the service again, it goes on from there. Where the process was killed for
    want of memory, give it more.
    """

    number = "AK5006"
