"""The `actorkalix` command.

Each command lives in a module of its own that is imported when it is typed, so that `--help` needs
neither Ray nor a store. Results go to stdout, everything that is said about them to stderr; with
`--json` stdout carries JSON alone.
"""

from actorkalix.cli.entry import main as main
