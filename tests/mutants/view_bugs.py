"""Bugs of views: feeds, projections, and what is kept of a subject."""

from __future__ import annotations

from . import scenarios
from .mutant import Mutant
from .planting import edit

_HOST = "actorkalix_cluster.shardhost"
_VIEWS = "actorkalix.views"
_RULE = "views_are_folds"

MUTANTS = (
    Mutant(
        "position-before-rows",
        "the position of a range is committed before its rows are",
        _RULE,
        scenarios.views,
        edit(
            f"{_VIEWS}.projection:Projection._transact",
            "moved = {part.shard: part.through for part in news}\n",
            "moved = {part.shard: part.through for part in news}\n"
            "    put_places(connection, moved, {})\n"
            '    connection.execute("COMMIT")\n'
            '    connection.execute("BEGIN IMMEDIATE")\n',
        ),
    ),
    Mutant(
        "rows-before-position",
        "rows are committed before the position of their range is, and subjects are not numbered",
        _RULE,
        scenarios.views,
        edit(
            f"{_VIEWS}.projection:Projection._transact",
            "    places.update(moved)\n",
            '    connection.execute("COMMIT")\n'
            '    connection.execute("BEGIN IMMEDIATE")\n'
            "    places.update(moved)\n",
        ),
        edit(f"{_VIEWS}.tables:TableFold._is_next", "number = subject.number\n", "return True\n"),
    ),
    Mutant(
        "gap-skipped",
        "a feed that is behind takes what lands for all there is, and gaps are not looked for",
        _RULE,
        scenarios.views,
        edit(
            f"{_HOST}.feed:Feed._was_read",
            "page.whole and self._store.applied(shard).offset <= progress.read.offset",
            "True",
        ),
        edit(
            f"{_HOST}.feed:Feed.landed",
            "before > progress.read.offset or self._size > self._limits.bytes_max",
            "False",
        ),
        edit(f"{_VIEWS}.tables:TableFold._is_next", "fed.number != expected", "False"),
    ),
    Mutant(
        "row-of-the-deleted-kept",
        "the row of a deleted entity stays",
        _RULE,
        scenarios.views,
        edit(
            f"{_VIEWS}.tables:TableFold._delete",
            "self._remove(subject)",
            "subject.changed = False",
        ),
    ),
    Mutant(
        "range-from-anywhere",
        "a range is taken wherever the view stands, and subjects are not numbered",
        _RULE,
        scenarios.views,
        edit(
            f"{_VIEWS}.projection:Projection._transact",
            "if _same(places[part.shard], part.begin)",
            "if True",
        ),
        edit(f"{_VIEWS}.tables:TableFold._is_next", "number = subject.number\n", "return True\n"),
    ),
    Mutant(
        "sent-counts-as-taken",
        "a feed that hears nothing of a batch goes on as if it had been taken",
        _RULE,
        scenarios.views,
        edit(
            f"{_HOST}.feed:Feed._refused",
            "progress.lost_sight()",
            "progress.answered(Standing(part.shard, part.through))",
        ),
        edit(
            f"{_VIEWS}.projection:Projection._transact",
            "if _same(places[part.shard], part.begin)",
            "if True",
        ),
        edit(f"{_VIEWS}.tables:TableFold._is_next", "fed.number != expected", "False"),
    ),
    Mutant(
        "goes-on-behind-a-parked-event",
        "a parked subject goes on with its next event",
        _RULE,
        scenarios.failing_views,
        edit(
            f"{_VIEWS}.projection:Projection._fold_one",
            "None if subject.held else fold.take(subject, fed, tally, now_ms)",
            "fold.take(subject, fed, tally, now_ms)",
        ),
        edit(f"{_VIEWS}.tables:TableFold._is_next", "fed.number != expected", "False"),
    ),
    Mutant(
        "parked-freed-too-early",
        "a parked subject is freed when some of its records are handled",
        _RULE,
        scenarios.failing_views,
        edit(
            f"{_VIEWS}.projection:Projection._retry",
            "None if again.through >= end else last",
            "None",
        ),
        edit(f"{_VIEWS}.tables:TableFold._is_next", "fed.number != expected", "False"),
        edit(
            f"{_HOST}.feed_reading:read_again",
            *("after=after, limit=limits.page", "after=after, limit=1"),
            *("len(records) == limits.page", "bool(records)"),
        ),
    ),
    Mutant(
        "parked-lost-in-memory",
        "who is parked is not read when a file is opened",
        _RULE,
        scenarios.failing_views,
        edit(f"{_VIEWS}.projection:Projection.__init__", "parked_in(connection)", "[]"),
    ),
    Mutant(
        "lost-file-not-noticed",
        "a view whose file is lost is fed from where it was",
        _RULE,
        scenarios.views,
        edit(f"{_HOST}.feed:Feed.begin_again", "self._ask(progress)", "pass"),
    ),
    Mutant(
        "event-behind-a-snapshot-lost",
        "the event behind a snapshot is passed over too, and gaps are not looked for",
        _RULE,
        scenarios.views,
        edit(
            f"{_HOST}.folding:Folding.look",
            "return COVERED if record.number < number else None",
            "return COVERED if record.number <= number + bool(number) else None",
        ),
        edit(f"{_VIEWS}.tables:TableFold._is_next", "fed.number != expected", "False"),
    ),
)
