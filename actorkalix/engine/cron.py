"""Cron lines: when one comes next. Pure: a line, a time zone and a moment give the next moment.

Theory of operation. croniter knows the calendar; it is asked in local time that knows of no zone,
where every day has 24 hours. What clocks do is decided here, by offset: a moment is the local time
less the zone's offset, and where the offset at the moment that was found is another one, the search
begins anew at the transition between.

    clocks      a line for fixed hours ("30 2 * * *")     a line for every hour ("*/10 * * * *")
    go ahead    times that the day has not: at the        go on after the gap
                transition, once
    go back     times that the day has twice: the first   both times, for each is another hour

That is what cron(8) does since Vixie's. A line is looked for 50 years ahead; what does not come
until then never does ("0 0 30 2 *").
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from croniter import croniter
from croniter.croniter import CroniterBadDateError

from actorkalix.errors import InvalidTimer

LINE_CHARACTERS_MAX = 256
SEARCHES_MAX = 256
"""One an hour's minute that comes twice, one a transition; nearly all lines need one in all."""

_EPOCH = datetime.fromtimestamp(0, UTC).replace(tzinfo=None)  # local times know of no zone
_MS = timedelta(milliseconds=1)
_NAMED = ("@hourly", "@midnight", "@daily", "@weekly", "@monthly", "@yearly", "@annually")
_BY_CHANCE = re.compile(r"(^|[\s,])[RrHh]")  # croniter's own: times drawn at random, or hashed


def next_after(line: str, zone: str, after_ms: int) -> int:
    """The first moment of a cron line beyond another one, both in milliseconds since 1970.

    Args:
        line: five fields (minute, hour, day of month, month, day of week) or a name as "@daily".
        zone: name of the IANA time zone that its times are in.
        after_ms: beyond what.

    Raises:
        InvalidTimer: the line cannot be read or never comes, or there is no such zone.
    """
    hourly, place = _is_hourly(line), _zone(zone)
    turn_ms, offset = after_ms, _offset(after_ms, place)
    local = _EPOCH + after_ms * _MS + offset
    for _ in range(SEARCHES_MAX):
        local = _next_local(line, local)
        moment_ms = (local - offset - _EPOCH) // _MS
        if _offset(moment_ms, place) == offset:
            if hourly or not _at(moment_ms, place).fold:
                return moment_ms
            continue
        turn_ms = _turn(turn_ms, moment_ms, place)
        offset = _offset(turn_ms, place)
        after_turn = _EPOCH + turn_ms * _MS + offset
        if local < after_turn and not hourly:
            return turn_ms
        local = after_turn - timedelta(seconds=1)  # what comes at the transition itself counts
    raise InvalidTimer(f"cron {line!r} comes at no time that zone {zone} has")


@lru_cache(maxsize=1024)
def _is_hourly(line: str) -> bool:
    """Whether every hour counts; an error where the line cannot be read."""
    if len(line) > LINE_CHARACTERS_MAX:
        raise InvalidTimer(
            f"a cron line of {len(line)} characters, at most {LINE_CHARACTERS_MAX} are allowed"
        )
    if len(line.split()) != 5 and line.strip().lower() not in _NAMED:
        raise InvalidTimer(
            f"cron {line!r}: a line has five fields (minute, hour, day of month, month, day of "
            f"week) or is one of {', '.join(_NAMED)}"
        )
    if _BY_CHANCE.search(line):
        raise InvalidTimer(f"cron {line!r}: R and H, times by chance, are not offered")
    try:
        fields, _ = croniter.expand(line)
    except ValueError as problem:
        raise InvalidTimer(f"cron {line!r} cannot be read: {problem}") from problem
    return list(fields[1]) == ["*"]


def _next_local(line: str, after: datetime) -> datetime:
    try:
        found: datetime = croniter(line, after).get_next(datetime)
    except CroniterBadDateError as problem:
        raise InvalidTimer(f"cron {line!r} never comes, not within 50 years") from problem
    return found


@lru_cache(maxsize=1024)
def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as problem:  # not found, no name of a file, a folder
        raise InvalidTimer(
            f"there is no time zone {name[:80]!r}; one is Europe/Berlin"
        ) from problem


def _at(ms: int, place: ZoneInfo) -> datetime:
    return datetime.fromtimestamp(ms // 1000, place)


def _offset(ms: int, place: ZoneInfo) -> timedelta:
    offset = _at(ms, place).utcoffset()
    assert offset is not None, "an aware datetime has one"
    return offset


def _turn(low_ms: int, high_ms: int, place: ZoneInfo) -> int:
    """A moment between two of different offsets from which on it is not the first one's."""
    before, low, high = _offset(low_ms, place), low_ms // 1000, high_ms // 1000
    while high - low > 1:
        middle = (low + high) // 2
        if _offset(middle * 1000, place) == before:
            low = middle
        else:
            high = middle
    return high * 1000
