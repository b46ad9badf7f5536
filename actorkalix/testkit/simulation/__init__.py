"""A whole cluster in one process on virtual time: every run of a seed is the same."""
