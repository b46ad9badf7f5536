"""The service under the benchmark of hosting: the counter, and the same in processes of its own."""

from __future__ import annotations

import os

from actorkalix import Dedicated, Effect, Service, command

from .service import Counter


class Far(Counter, id="far", hosting=Dedicated(num_cpus=0)):
    """The counter, each instance in a process."""

    @command
    def process(self) -> Effect[int]:
        return self.effects.reply(os.getpid())


service = Service("bench", components=[Counter, Far])
