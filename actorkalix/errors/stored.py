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
    """The data folder, or a backup, was written in a format that this version does not read.

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


class TargetUnusable(ActorkalixError):
    """The folder for a backup, or for what is restored, cannot be used; nothing was written.

    It has something in it, lies where it must not, cannot be written, or is on a disk without
    room for it.

    What to do: name a folder that is not there yet, outside of data folder and backup.
    """

    number = "AK4007"
    code = "failed_precondition"
    http_status = 400


class BackupDamaged(ActorkalixError):
    """The backup is not whole: a file of it is missing, cut off, changed, or not one of ours.

    The message names the file. Nothing was restored. A backup that was not finished has no
    `backup.json`.

    What to do: take another backup; `actorkalix restore BACKUP --dry-run` checks one.
    """

    number = "AK4008"
    code = "data_loss"


class BackupStopped(ActorkalixError):
    """The backup was given up before it was whole, and what was written of it is removed.

    While a store is copied its file grows by what is written meanwhile; a copy stops before that
    takes the space that the service needs. It also stops when a host ends.

    What to do: the message says why it stopped; see to that and take it again. The service was not
    affected.
    """

    number = "AK4009"
    code = "aborted"
    http_status = 503


class BackupInProgress(ActorkalixError):
    """Another backup of this service is being taken.

    What to do: wait until it is finished. One whose controller has ended gives up within a minute.
    """

    number = "AK4010"
    code = "aborted"
    http_status = 409


class ViewHistoryParted(ActorkalixError):
    """A view has read records of a shard that the shard does not have, or has others in place of.

    The service was restored from a backup that is older than the view, or the view's file comes
    from another service. What the view has of that shard is removed and read again; until then
    its rows are missing.

    What to do: nothing, if one of these is so. Otherwise keep the log and the view's file.
    """

    number = "AK4011"
    code = "data_loss"


class ViewFileDamaged(ActorkalixError):
    """The file of a view is damaged or gone. The view is made anew, from the log.

    A damaged file is moved aside, with `.damaged` behind its name. Until the view is whole,
    queries are answered 503, or show what there is where that is allowed. Rows that were kept when
    their entities were cleaned (`@on_delete`), and rows of messages that their topics keep no
    more, do not come back.

    What to do: if nobody has deleted the file, look at the disk.
    """

    number = "AK4012"
    code = "data_loss"
