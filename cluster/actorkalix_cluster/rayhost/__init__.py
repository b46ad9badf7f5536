"""Processes of a run as Ray actors. The only package that imports Ray, when it starts it.

`launch` starts a Ray of our own, `join` finds somebody else's. Every process (`process`) is made by
a factory that the floors above name: the controller, whose `fleet` gives each store to a host, and
`standbys` with their imports done. `sockets` hands listening sockets to hosts, `supervise` keeps
the controller, and `reaper` ends what a killed run would leave behind.
"""
