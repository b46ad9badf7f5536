"""How often Python looks for cycles of garbage in the process of a host.

A host makes thousands of small objects for every millisecond of work, and nearly all of them go
when the last reference does. Python counts those that are there and looks through the youngest
after each 700 more, through all of them now and then: a fifth of the time of a host that has many
entities alive, to find next to nothing. So it looks after each 20,000 here, and what is there when
the imports are done is not looked at again.
"""

from __future__ import annotations

import gc

YOUNG = 20_000  # objects more than at the last look: some 1 ms of looking, some 4 MB of garbage
MIDDLE = 20  # looks at the young to one at those that outlived one: 400,000 objects
OLD = 50  # looks at these to one at all, which takes 0.1 s for each million


def look_rarely() -> None:
    """Set it so, for this process; what is garbage now is taken away first."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, MIDDLE, OLD)
