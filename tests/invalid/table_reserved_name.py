"""Names of tables that are not the user's."""
# expect: rows names its table '$rows'; such names are SQLite's and ours
# expect: others names its table 'SQLite_rows'; such names

from dataclasses import dataclass

from actorkalix import View, sql, table, topic


@dataclass
class Row:
    n: int


class Rows(View, id="rows"):
    rows = table("$rows", source=topic("rows", Row))  # here
    others = table("SQLite_rows", source=topic("rows", Row))  # here
    third = table("rows", source=topic("rows", Row))

    @sql("SELECT * FROM rows")
    def one(self) -> Row:
        raise NotImplementedError
