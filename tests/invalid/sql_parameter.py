"""A parameter in the SQL that the method has not."""
# expect: idd

from dataclasses import dataclass

from actorkalix import View, sql, table, topic


@dataclass
class Row:
    id: str


class Carts(View, id="carts"):
    rows = table("carts", source=topic("rows", Row))

    @sql("SELECT * FROM carts WHERE id = :idd -- :neither")  # here
    def by_id(self, id: str) -> Row:
        raise NotImplementedError
