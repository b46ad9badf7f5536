"""On which node a view lives, as the data folder remembers it.

A view that comes to another node, or back to one where it was before, finds there nothing or a file
that has missed what happened since; some of that may be cleaned by now. Therefore it is made anew
there (`fresh`), unless the note beside its local files says that it was there last. The note is
written before the process begins and once more when it has, so a crash in between costs a rebuild
and never a gap.
"""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote

import msgspec

from actorkalix.views.files import AWAY

NOTE = "place"
HERE = ""  # the run's own node


class Note(msgspec.Struct, frozen=True):
    """What is remembered of a view: name of its node; `moving` until it has begun there."""

    node: str = HERE
    moving: bool = False


def far_node(folder: Path) -> str:
    """Name of the node where a view lives, `HERE` for the run's.

    Args:
        folder: of the view's files on the run's node.
    """
    return _read(folder).node


def begin(folder: Path, node: str) -> bool:
    """Note that a view is to live on a node; whether it has to be made anew there.

    Args:
        folder: of the view's files on the run's node.
        node: its name.

    Raises:
        OSError: the folder cannot be written.
    """
    note = _read(folder)
    fresh = note.moving or note.node != node or (folder / AWAY).exists()
    if fresh:
        _write(folder, Note(node, moving=True))
        if node != HERE:
            (folder / AWAY).unlink(missing_ok=True)
    return fresh


def settle(folder: Path, node: str) -> None:
    """Note that it lives there now; arguments as `begin`."""
    if _read(folder) != Note(node):
        _write(folder, Note(node))


def views_on(views: Path, node: str) -> Path:
    """The folder of all views on another node: beside the local ones, for disks may be shared.

    Args:
        views: the folder of all views on the run's node.
        node: name of the other.
    """
    return views.with_name(f"{views.name}@{quote(node, safe='')}")


def _read(folder: Path) -> Note:
    try:
        return msgspec.json.decode((folder / NOTE).read_bytes(), type=Note)
    except FileNotFoundError:
        return Note()
    except (OSError, msgspec.MsgspecError):
        return Note(moving=True)


def _write(folder: Path, note: Note) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f".{NOTE}"
    with part.open("wb") as file:
        file.write(msgspec.json.encode(note))
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, folder / NOTE)
