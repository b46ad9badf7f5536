"""Every bound in one place, each with where its number comes from."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import timedelta
from typing import Any

COMPONENT_ID_BYTES_MAX = 64
ENTITY_ID_BYTES_MAX = 256  # with component id and prefix below LMDB's 511 byte keys
IDEMPOTENCY_KEY_BYTES_MAX = 128
WORKFLOW_KEPT_MAX = 1_000
"""Open promises of a workflow, its undo calls, and its children: of each kind. They are written
whole when one changes, at some 300 bytes each."""
NOTES_KEPT_MAX = 1_000
NOTES_KEPT_BYTES = 256 * 1024
"""What a workflow has told of late is kept in memory for those who listen, by as many records and
bytes: they look each second at the latest, and at 2 ms a step a workflow makes half as many records
in that time. Who has missed some is told so."""
LISTENERS_MAX = 1_000
"""That one host serves at once: each asks a workflow once a second or more often."""
ROW_COLUMNS_MAX = 1_000  # leaves of a view's row; SQLite has 2,000 columns a table
TABLE_NAME_BYTES_MAX = 128  # of a view's table; it stands in names of indexes
VIEW_COLLECTION_ROWS_MAX = 1_000  # in a list of a result without a LIMIT (Akka: 1,000)
VIEW_PAGE_ROWS = 100  # of a page without a LIMIT (Akka: 100)
VIEW_SQL_CHARACTERS_MAX = 65_536  # of a query; SQLite takes 1,000,000 bytes
VIEW_SQL_DEPTH_MAX = 8  # of sub-queries in one another
VIEW_SQL_TABLES_MAX = 32  # of one SELECT; SQLite joins 64
VIEW_SQL_NESTED_MAX = 24  # parentheses in one another; SQLite's parser takes some 30
VIEW_SQL_TERMS_MAX = 500  # of one AND or OR; SQLite takes 1,000
VIEW_READ_MS = 200  # of a read transaction, before the log that it holds up is looked at
VIEW_LOG_BYTES_MAX = 67_108_864  # of that log: some 10 s of 20,000 rows a second
VIEW_STREAM_ROWS = 500  # that a stream reads at once: no read transaction outlives them
TOPIC_NAME_BYTES_MAX = 128  # an entity id holds it and the number of a partition
POSTED_MAX = 256  # messages for a partition that leave together: some 2 ms of its host's loop
POSTED_BYTES_MAX = 262_144  # of these; a commit has 1 MiB, and others are in it too
VIEW_PARKED_MAX = 10_000  # subjects that wait; some 4 MB in the view's process and in each feed
VIEW_PAUSE_AFTER = 8  # subjects that fail in a row: then the fault is not theirs, as for consumers
VIEW_REMOVED_MAX = 100_000  # notes of removed rows, for those who follow them; some 10 MB
STEP_TIMEOUT = timedelta(seconds=5)  # as Akka has it: longer than any call, shorter than patience
STEP_BACKOFF_INITIAL = timedelta(seconds=3)  # as timers wait: from 3 s
STEP_BACKOFF_CAP = timedelta(seconds=30)  # to 30 s
FAILURE_CHARS_MAX = 1_000  # of what is kept of a failed attempt: enough for a line of a traceback


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Bounds of a service. Raise one only with the memory and disk for it.

    Raises:
        ValueError: one is not positive, or too small beside another; the message names both.

    Attributes:
        payload_bytes_max: a request or reply of a command (Kalix and Akka: 1 MB).
        event_bytes_max: one encoded event (Akka: events above 1 MB cannot cross services).
        state_bytes_max: an encoded state or snapshot (Kalix and Akka: 10 MB).
        command_bytes_max: all events, the state and the reply of one command (Kalix: 12 MB).
        commit_bytes_max: records of one commit; bounds what a crash can leave unanswered.
        commit_queue_max: commands that wait for a commit on a host; beyond it 503 with Retry-After.
        speculation_max: commands of one entity that wait for a commit.
        mailbox_max: commands of one entity that wait for it to be loaded.
        entities_max: live entities of a host; beyond it the least recently used are passivated.
        timer_calls_max: calls of named timers under way on a host; others wait (at 0.1 s a
            call these are 10,000 a second).
        steps_max: steps of workflows under way on a host; others wait (each holds some 10 kB,
            beside what it does itself).
        passivate_after: idle time after which an entity leaves memory (Kalix: 30 s).
        ask_timeout: until a caller is told that the outcome is unknown.
        body_timeout: until a request's body must have arrived.
        retention: between delete and cleanup (Kalix and Akka: 7 days).
        clean_every: between two runs of the cleaner (Akka: 1 hour).
        idempotency_kept: how long replies are remembered under their keys.
        drain_timeout: until a stopping host gives up waiting for its work in flight.
        handler_slow: a handler that holds its host's loop for this long is named in the log, with
            its stack (asyncio's debug mode: 100 ms; a handler without I/O takes microseconds).
        handler_unready: a host held for this long is not ready (load balancers probe each 1 to 10 s
            and wait 1 to 5 s for the answer).
        handler_hang: a host held for this long ends and is replaced (twice `ask_timeout`: whoever
            waited for it has been answered).
        handler_strikes_max: slow handlers of a component until it answers 503 (one may be bad luck,
            two a coincidence).
        owner_wait: until a caller is told that a shard's owner is away; a little below
            `ask_timeout`, so that "not executed" comes before "outcome unknown".
        action_timeout: until a handler of an action that has not replied is cancelled (Kalix: 1 h).
        actions_max: handlers of inline actions that run at once on a host, and streams; beyond it
            503 (each holds some 10 kB).
        tasks_per_core_max: tasks of actions that a host has under way at a time, for each core that
            it may use (a handler that computes fills one; raise it for handlers that wait).
        tasks_waiting_max: calls that wait for one of these, of each depth of calls and each set of
            options; beyond it 503 (some 1 kB each, beside their payloads).
        dedicated_max: entities of a host that have a process of their own (43 MB each, so 5.5 GB);
            beyond it idle ones are stopped, or 503.
        dedicated_start: until a caller is told that no node has the resources for such a process
            (longer than `ask_timeout` for those who wait longer; an image of a runtime_env is made
            in minutes, and goes on being made).
        call_depth_max: calls that lead to one another; beyond it AK2016 (a service whose calls go
            deeper has a circle in them).
        topic_partitions: of every topic: messages of so many subjects are handled at once, and a
            message on which a consumer fails holds up that part of the topic. (16 keep the cores of
            some hosts busy, and an idle one costs nothing.) Do not change it while the order of
            messages counts: with another number a subject goes on in another partition.
        view_query_timeout: until a query of a view is ended (what a caller waits for; a query by an
            index takes microseconds).
        view_queries_max: queries of views that wait for a thread on a host; beyond it 503 (at 1 ms
            a query these are answered within `ask_timeout`).
        view_threads: of a host for queries of a view (SQLite works without Python's lock, so that
            some cores are kept busy).
        view_rows_max: rows of an answer without a LIMIT (Akka: 10,000).
        view_wait_timeout: until a query that waits for a change is told that the view is behind; a
            little below `ask_timeout`, so that what it says reaches the caller.
        topic_kept: how long a topic keeps its messages where `brokers` does not say it (Kafka: 7
            days).
        topic_bytes_max: of a topic's messages where `brokers` does not say it (what 16 partitions
            of 64 GiB have; a disk is full before).
        topic_trim_every: between two looks at what is to be dropped (Kafka: 5 minutes; a look costs
            a question to each partition).
    """

    payload_bytes_max: int = 1_000_000
    event_bytes_max: int = 1_000_000
    state_bytes_max: int = 10_000_000
    command_bytes_max: int = 12_000_000
    commit_bytes_max: int = 1_048_576
    commit_queue_max: int = 16_384
    speculation_max: int = 256
    mailbox_max: int = 1_024
    entities_max: int = 100_000
    timer_calls_max: int = 1_024
    steps_max: int = 1_024
    passivate_after: timedelta = timedelta(seconds=30)
    ask_timeout: timedelta = timedelta(seconds=5)
    body_timeout: timedelta = timedelta(seconds=10)
    retention: timedelta = timedelta(days=7)
    clean_every: timedelta = timedelta(hours=1)
    idempotency_kept: timedelta = timedelta(hours=24)
    drain_timeout: timedelta = timedelta(seconds=20)
    handler_slow: timedelta = timedelta(milliseconds=100)
    handler_unready: timedelta = timedelta(seconds=2)
    handler_hang: timedelta = timedelta(seconds=10)
    handler_strikes_max: int = 3
    owner_wait: timedelta = timedelta(seconds=4.5)
    action_timeout: timedelta = timedelta(hours=1)
    actions_max: int = 4_096
    tasks_per_core_max: int = 1
    tasks_waiting_max: int = 4_096
    dedicated_max: int = 128
    dedicated_start: timedelta = timedelta(seconds=30)
    call_depth_max: int = 8
    topic_partitions: int = 16
    view_query_timeout: timedelta = timedelta(seconds=4.5)
    view_queries_max: int = 4_096
    view_threads: int = 4
    view_rows_max: int = 10_000
    view_wait_timeout: timedelta = timedelta(seconds=4)
    topic_kept: timedelta = timedelta(days=7)
    topic_bytes_max: int = 1_099_511_627_776
    topic_trim_every: timedelta = timedelta(minutes=1)

    def __post_init__(self) -> None:
        for field in fields(self):
            value, least = getattr(self, field.name), _LEAST[type(field.default)]
            if type(value) is not type(least) or value < least:
                raise ValueError(f"Limits: {field.name} is at least {least}, got {value!r}")
        for small, large in _RELATIONS:
            least_bytes = sum(getattr(self, name) for name in small)
            if getattr(self, large) < least_bytes:
                raise ValueError(
                    f"Limits: {large} is at least {' + '.join(small)}, which is {least_bytes:,}"
                )
        for short, long in _IN_ORDER:
            if getattr(self, long) < getattr(self, short):
                raise ValueError(
                    f"Limits: {long} is at least {short}, which is {getattr(self, short)}"
                )


_LEAST: dict[type, Any] = {int: 1, timedelta: timedelta(milliseconds=1)}
_RELATIONS = (
    (("event_bytes_max", "payload_bytes_max"), "command_bytes_max"),
    (("state_bytes_max", "payload_bytes_max"), "command_bytes_max"),
)
_IN_ORDER = (
    ("handler_slow", "handler_unready"),
    ("handler_unready", "handler_hang"),
    ("owner_wait", "ask_timeout"),
)
