"""Durable bytes for keyed actors: one sequential log a store, and the tables that follow from it.

Nothing in this package knows asyncio, Ray, entities or views. `api` holds the words and the
protocols, `memorystore` and `lmdbstore` the two stores, `testing` the contract suite that both
pass.
"""
