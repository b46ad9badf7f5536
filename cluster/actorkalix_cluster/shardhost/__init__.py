"""The asyncio driver: mailbox, step, batch, commit, deliver, activate, passivate. No Ray in here."""
