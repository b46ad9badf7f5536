"""Benchmarks: each is a function with a small size that tests call and a large one that
`scripts/bench` takes.
"""
