"""A decorator of one's own without functools.wraps."""
# expect: takes *args; name its parameters (a decorator of yours needs functools.wraps)

from actorkalix import ValueEntity, query


def logged(fn):
    def wrapper(*args, **kwargs) -> int:  # here
        return fn(*args, **kwargs)

    wrapper.__name__ = fn.__name__
    return wrapper


class Slot(ValueEntity[int], id="slot"):
    def empty_state(self) -> int:
        return 0

    @query
    @logged
    def get(self) -> int:
        return self.state
