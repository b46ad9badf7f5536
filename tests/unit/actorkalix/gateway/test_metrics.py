"""Metrics: names, labels and formats are a contract with dashboards (LT-32)."""

from __future__ import annotations

from actorkalix.gateway.http import Answered
from actorkalix.gateway.metrics import FolderUse, Metrics
from actorkalix_cluster.shardhost.observer import ConsumerStats, HostStats, Observer


def text_of(metrics: Metrics, accept: str = "") -> str:
    return metrics.exposition(accept)[0].decode()


def test_what_happened_is_shown() -> None:
    metrics = Metrics()
    observer: Observer = metrics
    endpoint: Answered = metrics
    observer.handled("cart", "add_item", 0.002, "")
    observer.handled("cart", "add_item", 0.0002, "AK2001")
    observer.committed(3, 5, 2_000, 0.004)
    observer.activated("cart", 0.001)
    observer.passivated("cart")
    observer.timer_fired("given_up")
    endpoint.answered(200, "")
    endpoint.answered(404, "AK2003")
    text = text_of(metrics)
    for line in (
        'actorkalix_commands_total{component="cart",method="add_item",result="ok"} 1.0',
        'actorkalix_commands_total{component="cart",method="add_item",result="error"} 1.0',
        'actorkalix_errors_total{number="AK2003"} 1.0',
        'actorkalix_command_seconds_count{component="cart"} 2.0',
        'actorkalix_command_seconds_bucket{component="cart",le="0.00025"} 1.0',
        "actorkalix_commit_records_sum 5.0",
        "actorkalix_commit_bytes_sum 2000.0",
        "actorkalix_commit_seconds_count 1.0",
        'actorkalix_activations_total{component="cart"} 1.0',
        'actorkalix_passivations_total{component="cart"} 1.0',
        'actorkalix_timer_calls_total{result="given_up"} 1.0',
        'actorkalix_http_requests_total{status="404"} 1.0',
    ):
        assert f"\n{line}\n" in text
    assert "# HELP actorkalix_command_seconds " in text


def test_gauges_are_asked_for_at_each_scrape() -> None:
    metrics = Metrics()
    assert "actorkalix_live_entities" not in text_of(metrics)
    stats = [HostStats({"cart": 2}, 3, 4, 1024, {7: "crc"})]
    metrics.bind(lambda: stats[0], lambda: FolderUse(10, 20, 30, 40))
    text = text_of(metrics)
    for line in (
        'actorkalix_live_entities{component="cart"} 2.0',
        "actorkalix_mailbox_depth 3.0",
        "actorkalix_commit_queue 4.0",
        "actorkalix_shards 1024.0",
        "actorkalix_damaged_shards 1.0",
        "actorkalix_data_bytes 10.0",
        "actorkalix_disk_free_bytes 20.0",
        "actorkalix_reclaimed_bytes_total 30.0",
        "actorkalix_reclaimed_records_total 40.0",
    ):
        assert f"\n{line}\n" in text
    stats[0] = HostStats({}, 0, 0, 0, {})
    assert "actorkalix_mailbox_depth 0.0" in text_of(metrics)


def test_formats_by_accept() -> None:
    metrics = Metrics()
    assert metrics.exposition("")[1].startswith("text/plain")
    body, content_type = metrics.exposition("application/openmetrics-text; version=1.0.0")
    assert content_type.startswith("application/openmetrics-text")
    assert body.endswith(b"# EOF\n")


def test_two_hosts_in_one_process_do_not_meet() -> None:
    first, second = Metrics(), Metrics()
    first.answered(200, "")
    assert 'status="200"' not in text_of(second)


def test_each_consumer_is_shown() -> None:
    metrics = Metrics()
    bill = ConsumerStats("bill:cart", 8, 3, 2, 1, 90, 40, 5, 6, "no", 7)
    metrics.bind(lambda: HostStats({}, 0, 0, 0, {}, (bill,)))
    text = text_of(metrics)
    for line in (
        "entries_total{consumer} 40.0",
        "failures_total{consumer} 5.0",
        "dead_letters_total{consumer} 6.0",
        "parked_subjects{consumer} 1.0",
        "lag_records{consumer} 3.0",
        "waiting_entries{consumer} 2.0",
        "paused{consumer} 1.0",
    ):
        wanted = line.replace("{consumer}", '{consumer="bill:cart"}')
        assert f"\nactorkalix_consumer_{wanted}\n" in text
