"""The composition root: puts engine, hosts, stores and gateways together. Knows everybody."""
