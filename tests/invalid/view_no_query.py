"""A view without a query (VW-05)."""
# expect: has no query; mark a method with @sql("SELECT ...")

from dataclasses import dataclass

from actorkalix import View, table, topic


@dataclass
class Row:
    n: int


class Rows(View, id="rows"):  # here
    rows = table("rows", source=topic("rows", Row))
