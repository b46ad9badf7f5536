"""AK4xxx: errors of what is stored."""

from __future__ import annotations

from .base import ActorkalixError


class StoredDataDamaged(ActorkalixError):
    """Bytes on disk are not what was written.

    The shard is not served rather than answered with invented data.

    What to do: `actorkalix verify DATA` names the first damage; restore a backup.
    """

    number = "AK4001"
    code = "data_loss"
    http_status = 500


class StoredDataUnreadable(ActorkalixError):
    """A stored event or state does not decode as the class that now bears its type name.

    What to do: give the class a `@type_name(..., version=N)` and a `@migrate` from the stored
    version.
    """

    number = "AK4002"
    code = "data_loss"
    http_status = 500


class ForeignFolder(ActorkalixError):
    """The data folder belongs to another service, or is a copy of one.

    What to do: give each service a folder of its own with `--data`.
    """

    number = "AK4003"
    code = "failed_precondition"


class FolderInUse(ActorkalixError):
    """Another process has the data folder open; the message names it.

    What to do: stop that process, or use another folder with `--data`.
    """

    number = "AK4004"
    code = "failed_precondition"


class UnsupportedFormat(ActorkalixError):
    """The data folder was written in a format that this version does not read.

    What to do: use the version that wrote it, or a newer one.
    """

    number = "AK4005"
    code = "failed_precondition"


class FolderUnusable(ActorkalixError):
    """The data folder is missing, read-only, or not a folder.

    What to do: check path and rights, or give another with `--data`.
    """

    number = "AK4006"
    code = "failed_precondition"
