"""An abstract base is no component of a service."""
# expect: Base is abstract: subclass it with an id

from actorkalix import Service, ValueEntity, query


class Base(ValueEntity[int], abstract=True):
    @query
    def get(self) -> int:
        return self.state


Service("shop", components=[Base])  # here
