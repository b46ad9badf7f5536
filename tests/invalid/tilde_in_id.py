"""ES-01: an id as actorkalix itself has them."""
# expect: begins with '~', as those of actorkalix itself do

from actorkalix import ValueEntity, query


class Slot(ValueEntity[int], id="~slot"):  # here
    def empty_state(self) -> int:
        return 0

    @query
    def get(self) -> int:
        return self.state
