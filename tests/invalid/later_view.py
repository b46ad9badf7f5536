"""Not in this version."""
# expect: Rows: views come with a later version; leave it out of the service

from actorkalix import Service, View, sql


class Rows(View, id="rows"):  # here
    @sql("SELECT * FROM rows")
    def all(self) -> str:
        raise NotImplementedError


Service("shop", components=[Rows])
