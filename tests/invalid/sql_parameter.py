"""A parameter in the SQL that the method has not."""
# expect: by_id has no parameter 'idd' for :idd in its SQL; it has id

from actorkalix import View, sql


class Carts(View, id="carts"):
    @sql("SELECT ':no' AS x FROM carts WHERE id = :idd -- :neither")  # here
    def by_id(self, id: str) -> str:
        raise NotImplementedError
