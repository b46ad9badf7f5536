"""The contract suite: what a store promises.

Tests speak to the store through `Store` alone.
"""

from __future__ import annotations

from .ahead import AheadContract
from .homes import HomesContract
from .reading import ReadingContract
from .writing import WritingContract


class StoreContract(WritingContract, ReadingContract, AheadContract, HomesContract):
    """Every store passes this; see `testing/__init__.py`."""
