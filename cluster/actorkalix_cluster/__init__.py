"""Durable keyed actors: placement, shard hosts, and their life on Ray.

Nothing in this package knows entities or views: it runs a `Behavior` per actor kind.
"""
