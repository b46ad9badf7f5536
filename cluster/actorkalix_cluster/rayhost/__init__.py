"""Processes of a run as Ray actors. The only package that imports Ray, when it starts it.

`launch` starts a Ray of our own, `join` finds somebody else's. Every process (`process`) is made by
a factory that the floors above name: the controller, whose `fleet` gives each store to a host, and
`standbys` with their imports done. `sockets` hands listening sockets to hosts, `supervise` keeps
the controller, and `reaper` ends what a killed run would leave behind.

Work in Ray tasks: a host's `tasks` sends what `batching` says to a `worker`, in the words of
`errands`; `exchange` answers what the worker asks meanwhile, and `slips` say what it had started.
"""
