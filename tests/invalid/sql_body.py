"""A body under @sql."""
# expect: by_id has a body that never runs: the SQL is the body; write raise NotImplementedError

from actorkalix import View, sql


class Carts(View, id="carts"):
    @sql("SELECT * FROM carts WHERE id = :id")  # here
    def by_id(self, id: str) -> str:
        return id.lower()
