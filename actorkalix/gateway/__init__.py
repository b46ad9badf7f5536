"""The gateway: HTTP for callers, the admin port for operators, metrics, transport of clients."""
