"""The asyncio driver: load, step, group commit, answer, passivate. No Ray in here."""
