"""Benchmarks: functions with a small size for tests and a large one for `scripts/bench`."""
