"""`actorkalix version`."""

from __future__ import annotations

import argparse
import platform
from importlib import metadata

from actorkalix.cli.exits import Exit
from actorkalix.cli.output import Output


def execute(arguments: argparse.Namespace, output: Output) -> int:
    """Print the versions of actorkalix, Python and Ray, without importing Ray."""
    del arguments
    versions = {name: _installed(name) for name in ("actorkalix", "ray")}
    versions["python"] = platform.python_version()
    if output.as_json:
        output.document(versions)
    else:
        ours, python, ray = (versions[name] for name in ("actorkalix", "python", "ray"))
        output.show(f"actorkalix {ours} (Python {python}, Ray {ray})")
    return Exit.OK


def _installed(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"
