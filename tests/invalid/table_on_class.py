"""The mark of a table above the class (VW-05)."""
# expect: @table('rows') marks a method of a view, not <class

from dataclasses import dataclass

from actorkalix import View, table, topic


@dataclass
class Row:
    n: int


@table("rows", source=topic("rows", Row))
class Rows(View, abstract=True): ...
