"""What every store must do: a suite that ships with the package.

A store's test module makes a class of it:

    class TestMyStore(StoreContract):
        def make(self) -> Harness: ...
"""

from .harness import Harness, event, reply, state
from .suite import StoreContract

__all__ = ["Harness", "StoreContract", "event", "reply", "state"]
