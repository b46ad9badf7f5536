"""Hosts as Ray actors. The only package that imports Ray, when it starts it and not before.

`launch` starts a Ray of our own, `host_actor` is what runs in it, `sockets` brings listening
sockets there, `supervise` replaces a host that died, and `reaper` ends what a killed run would
leave behind.
"""
