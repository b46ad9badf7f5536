"""A service has components."""
# expect: it has no components; write components=[...]

from actorkalix import Service, ValueEntity, http, query


Service("shop", components=[])  # here
