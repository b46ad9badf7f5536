"""What every store must do: a suite that ships with the package.

A store's test module makes a class of it:

    class TestMyStore(StoreContract):
        def make(self) -> Harness: ...
"""

from .harness import Harness as Harness, event as event, reply as reply, state as state
from .suite import StoreContract as StoreContract
