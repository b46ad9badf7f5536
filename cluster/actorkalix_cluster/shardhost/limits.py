"""Bounds of a host and its links: every queue has one. In ms, bytes and numbers of things."""

from __future__ import annotations

import msgspec


class ConsumerLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What a consumer of a host takes.

    Attributes:
        runs_max: handlings under way at once.
        run_entries_max: entries of one subject that are handled before others have their turn.
        entries_max: entries in memory, one of more than 8 KiB counting for each 8 KiB (64 MiB in
            all); what is beyond is read again from the store in its time.
        batch_bytes_max: bytes of a list of entries, or one of them.
        page: records that are read from the store at once.
        reads_max: such reads under way at once.
        parked_max: subjects of a shard that wait; with more, the consumer waits as a whole.
        pause_after: subjects that fail in a row until the consumer waits as a whole, for then the
            fault is not theirs.
        retry_ms, retry_ms_max: wait before what failed is tried again; it doubles in between.
        visible_attempts: after so many a failing subject is logged as an error.
        cursor_every_ms: between two writes of a shard's cursor; what is handled in between is
            handled again after a crash.
        skipped_max: records of a shard that are for others until a cursor is written all the same,
            so that a restart does not read them again.
    """

    runs_max: int = 64
    run_entries_max: int = 64
    entries_max: int = 8_192
    batch_bytes_max: int = 1_048_576
    page: int = 256
    reads_max: int = 4
    parked_max: int = 1_000
    pause_after: int = 8
    retry_ms: int = 3_000
    retry_ms_max: int = 30_000
    visible_attempts: int = 10
    cursor_every_ms: int = 1_000
    skipped_max: int = 1_024


class FeedLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What a feed of a host takes.

    Attributes:
        batch_bytes_max: of the entries of a batch, or one of them (20 times what Ray sends inline,
            and some 10 ms of a target).
        batch_entries_max: entries of a batch (some 30 ms of a target, which is the lag of others).
        batch_shards_max: shards that a batch names for one reason: all of a small service.
        bytes_max: entries in memory; what is beyond is read again from the store in its time.
        page, page_bytes_max: records, and bytes of wanted ones, that are read at once.
        reads_max: such reads under way at once.
        cover_every_ms: until it is told that records passed of which nobody wants anything.
        retry_ms, retry_ms_max: wait before what was not taken is sent again; it doubles in between.
        held_ms, held_ms_max: wait before what the target failed on is tried again, likewise.
        retries_max: subjects that are tried again at once.
    """

    batch_bytes_max: int = 1_048_576
    batch_entries_max: int = 1_000
    batch_shards_max: int = 1_024
    bytes_max: int = 8_388_608
    page: int = 256
    page_bytes_max: int = 1_048_576
    reads_max: int = 4
    cover_every_ms: int = 250
    retry_ms: int = 100
    retry_ms_max: int = 5_000
    held_ms: int = 3_000
    held_ms_max: int = 30_000
    retries_max: int = 16


class HostLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What a host takes.

    Attributes:
        commit_bytes_max: records of one commit; a larger append goes alone.
        ahead_bytes_max: states that are written ahead of their commits, or one of them.
        commit_queue_max: appends that wait for a commit or are in one.
        speculation_max: commands of one actor that wait for a commit.
        mailbox_max: messages of one actor that wait for anything else.
        messages_max: open messages of all actors together (4 x the commit queue).
        loads_max: actors that wait to be loaded (at 10,000/s they are in time for who asked).
        load_batch_max: loads that are told, and their messages stepped, in one turn of the loop (16
            take some 1 ms; with 64 a warm command waited three times as long in a storm of them).
        load_slice_ms: until the reader looks after others than loads.
        actors_max: live actors; beyond it the least recently used leave memory, as soon as nothing
            of them is under way.
        passivate_after_ms: idle time after which an actor leaves memory.
        retention_ms: between an actor's delete and its cleanup.
        clean_every_ms: between two runs of the cleaner.
        keys_kept_ms: how long an idempotency key counts.
        retry_after_ms: advice to those who are refused because of load.
        look_ahead_ms: how far ahead due times are read from the store at once.
        firings_max: calls of named timers under way.
        steps_max: steps of workflows under way (each holds some 10 kB, beside what it does itself).
        snapshot_backlog_bytes_max: snapshots that wait for the store; what is beyond is left out.
        maintain_after_ms: until the store gets time for itself after a commit.
        handler_slow_ms: a step that holds the loop for this long is named, with its stack.
        handler_unready_ms: a step that holds it for this long makes the host unready.
        handler_hang_ms: a step that holds it for this long ends the host.
        handler_strikes_max: slow handlers of a component until it is blocked.
        residences_max: actors that run elsewhere, each in a process of its own.
        residence_start_ms: until who waits for such a process is told that there is no room.
        residence_room_ms: between two ends of idle ones while others wait for room (a process that
            has room is there in 1 to 2 s).
        consumers: what each consumer takes.
        feeds: what each feed takes.
    """

    commit_bytes_max: int = 1_048_576
    ahead_bytes_max: int = 67_108_864
    commit_queue_max: int = 16_384
    speculation_max: int = 256
    mailbox_max: int = 1_024
    messages_max: int = 65_536
    loads_max: int = 16_384
    load_batch_max: int = 16
    load_slice_ms: int = 5
    actors_max: int = 100_000
    passivate_after_ms: int = 30_000
    retention_ms: int = 7 * 86_400_000
    clean_every_ms: int = 3_600_000
    keys_kept_ms: int = 86_400_000
    retry_after_ms: int = 1_000
    look_ahead_ms: int = 600_000
    firings_max: int = 1_024
    steps_max: int = 1_024
    snapshot_backlog_bytes_max: int = 67_108_864
    maintain_after_ms: int = 1_000
    handler_slow_ms: int = 100
    handler_unready_ms: int = 2_000
    handler_hang_ms: int = 10_000
    handler_strikes_max: int = 3
    residences_max: int = 128
    residence_start_ms: int = 30_000
    residence_room_ms: int = 1_500
    consumers: ConsumerLimits = ConsumerLimits()
    feeds: FeedLimits = FeedLimits()


class LinkLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What a link between two hosts takes.

    Attributes:
        batch_bytes_max: of a batch; a larger message goes alone (above 100 kB a call leaves Ray's
            inline path).
        batches_in_flight_max: batches that the peer has not acknowledged; what comes meanwhile
            gathers for the next one (more in flight were no faster: 55,000 round trips/s).
        reorder_max: batches that may arrive ahead of a missing one (a sender of ours is never more
            than `batches_in_flight_max` ahead).
        pending_max: requests that wait in a queue, or for their answers.
        queued_bytes_max: bytes that wait to leave; beyond it no request is taken.
        attempts_max: sends of one batch until the session is given up (5 s with these waits).
        resend_after_ms: wait before the second send; each later one doubles it.
        resend_after_ms_max: where doubling ends.
        gap_wait_ms: until a batch that is missing counts as lost (no caller waits longer).
    """

    batch_bytes_max: int = 65_536
    batches_in_flight_max: int = 2
    reorder_max: int = 16
    pending_max: int = 16_384
    queued_bytes_max: int = 67_108_864
    attempts_max: int = 10
    resend_after_ms: int = 20
    resend_after_ms_max: int = 1_000
    gap_wait_ms: int = 5_000
