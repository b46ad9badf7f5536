"""What users subclass and call: components, handlers, effects, calls, clients."""
