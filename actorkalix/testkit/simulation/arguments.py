"""Bodies of calls, drawn from the types that handlers declare.

Theory of operation. For each handler a drawer is compiled once, from msgspec's picture of its
parameters. It makes a value as JSON has it, so nothing of the user's is built to be taken apart
again, and then shows the body to the codec that reads it in a running service: what a type refuses
beyond its fields (a `__post_init__`, a validator) is drawn again, and where nothing comes through,
the error names the parameter and says how to give values for it. Where a type holds itself, what
is drawn grows no deeper than `DEPTH_MAX`.

What a drawer draws from is a `Source`. `Chance` is one, for runs that a seed decides; the
strategies for hypothesis are another, so both draw the same values.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

import msgspec
from msgspec import inspect as shape

from actorkalix.codec import ArgumentCodec, codecs_for
from actorkalix.codec.arguments import Arguments
from actorkalix.codec.wording import words
from actorkalix.describe.descriptors import ComponentDescriptor, Parameter
from actorkalix.describe.shapes import OBJECTS, Shape, is_model, shape_of, walk
from actorkalix.errors import InvalidPayload, WorkloadUnfit
from actorkalix_cluster.shardhost.messages import Encoding

from .values import domain

T = TypeVar("T")
DEPTH_MAX = 3
SIZED_DEPTH_MAX = 2
"""Deeper collections are as small as they may be: they would multiply."""
TRIES_MAX = 64
KNOWN_MAX = 4_096
_DISTINCT_TRIES = 8
_ANYTHING = (1, "a", None, True, 2.5, ["a"], {"a": 1})
_SIZES = (0, 1, 1, 1, 2, 2, 3)
_encode = msgspec.json.Encoder().encode


class Source(Protocol):
    """Where values are drawn from. The first of what there is to choose from is the simplest."""

    def integer(self, low: int, high: int, /) -> int:
        """A whole number, both bounds included."""
        ...

    def choice(self, options: Sequence[T], /) -> T:
        """One of several."""
        ...

    def happens(self, probability: float, /) -> bool:
        """True with a probability; False is simpler."""
        ...


Draw = Callable[[Source, int], Any]
"""Draws a value as JSON has it, at a depth."""


class Bodies:
    """Draws the bodies of one handler's calls.

    Args:
        component: whose handler it is.
        method: its name.
        values: JSON values of parameters that are not to be drawn from their types, by name.

    Attributes:
        parameters: name of each, whether every body has it, and what draws it.

    Raises:
        WorkloadUnfit: a given value is not of its parameter's type, or nothing is known that fits
            a type; the message names both.
    """

    def __init__(
        self,
        component: ComponentDescriptor,
        method: str,
        values: Mapping[str, Sequence[Any]] | None = None,
    ) -> None:
        self._handler = handler = component.handlers[method]
        self._name = f"{component.component_id}.{method}"
        self._codec = codecs_for(component).arguments[method]
        self._whole = handler.whole_body
        self._known: dict[bytes, bool] = {b"": True}
        given = values or {}
        self.parameters = tuple(
            (one.name, one.required or one.name in given, self._draw_of(one, given.get(one.name)))
            for one in handler.parameters
        )

    def draw(self, source: Source) -> bytes:
        """A body, as a client sends it; b"" is none.

        Raises:
            WorkloadUnfit: the type refuses whatever is drawn for it.
        """
        for _ in range(TRIES_MAX):
            if (body := self.attempt(source)) is not None:
                return body
        raise self._refused(self._body(source))

    def attempt(self, source: Source) -> bytes | None:
        """A body, or None if the handler's types refuse what was drawn."""
        body = self._body(source)
        fits = self._known.get(body)
        if fits is None:
            if len(self._known) >= KNOWN_MAX:
                self._known.clear()
            fits = self._known[body] = self._why_not(body) is None
        return body if fits else None

    def read(self, body: bytes) -> Arguments:
        """The arguments in a body."""
        return self._codec.decode(body, Encoding.JSON)

    def _body(self, source: Source) -> bytes:
        values = {
            name: draw(source, 0)
            for name, always, draw in self.parameters
            if always or source.happens(0.5)
        }
        if not values:
            return b""
        return _encode(next(iter(values.values())) if self._whole else values)

    def _why_not(self, body: bytes) -> InvalidPayload | None:
        try:
            self._codec.decode(body, Encoding.JSON)
        except InvalidPayload as problem:
            return problem
        return None

    def _refused(self, body: bytes) -> WorkloadUnfit:
        problem = self._why_not(body)
        names = [name for name, _, _ in self.parameters]
        guilty = next((name for name in names if str(problem).startswith(name)), names[0])
        return WorkloadUnfit(
            f"{self._name}: none of {TRIES_MAX} bodies that were drawn is accepted, the last as "
            f"{body.decode()} ({problem}); {_give(self._name, guilty)}"
        )

    def _draw_of(self, parameter: Parameter, given: Sequence[Any] | None) -> Draw:
        if given is not None:
            for value in given:
                self._check(parameter, value)
            return _one_of(tuple(given))
        try:
            return _Compiler().build(shape_of(parameter.type))
        except _NothingFits as problem:
            where = f"{self._name}, parameter {parameter.name!r}"
            raise WorkloadUnfit(
                f"{where}: {problem}; {_give(self._name, parameter.name)}"
            ) from None

    def _check(self, parameter: Parameter, value: Any) -> None:
        """A codec of this parameter alone takes a value that was given for it."""
        alone = msgspec.structs.replace(
            self._handler,
            parameters=(msgspec.structs.replace(parameter, structured=False),),
            whole_body=False,
        )
        try:
            ArgumentCodec(alone).decode(_encode({parameter.name: value}), Encoding.JSON)
        except InvalidPayload as problem:
            text = _encode(value).decode()
            where = f"values: {self._name}.{parameter.name}"
            raise WorkloadUnfit(f"{where} cannot be {text} ({problem})") from None


def _give(handler: str, parameter: str) -> str:
    return f'give values for it: Workload(values={{"{handler}.{parameter}": [...]}})'


_BODIES = "__actorkalix_bodies__"


def bodies_for(component: ComponentDescriptor, method: str) -> Bodies:
    """What draws a handler's bodies from its types alone; made once, kept by its class."""
    kept: dict[str, tuple[ComponentDescriptor, Bodies]] | None = vars(component.cls).get(_BODIES)
    if kept is None:
        kept = {}
        setattr(component.cls, _BODIES, kept)
    described, made = kept.get(method, (None, None))
    if made is None or described is not component:
        made = Bodies(component, method)
        kept[method] = (component, made)
    return made


class _NothingFits(Exception):
    """No value is known that a type takes."""


def _one_of(options: tuple[Any, ...]) -> Draw:
    if len(options) == 1:
        only = options[0]
        return lambda source, depth: only
    return lambda source, depth: source.choice(options)


class _Compiler:
    """Makes drawers; types that hold themselves find the drawer that is being made."""

    def __init__(self) -> None:
        self._objects: dict[int, Draw] = {}

    def build(self, picture: Shape) -> Draw:
        """The drawer for a type.

        Raises:
            _NothingFits: no value is known that it takes.
        """
        if (values := domain(picture)) is not None:
            if not values:
                raise _NothingFits(f"no value is known of type {_said(picture)}")
            return _one_of(values)
        match picture:
            case shape.UnionType(types=members):
                return self._union(members)
            case shape.DictType():
                return self._dict(picture)
            case shape.TupleType(item_types=members):
                return _positions(tuple(self.build(member) for member in members))
            case shape.ListType() | shape.VarTupleType():
                return self._list(picture, distinct=False)
            case shape.SetType() | shape.FrozenSetType():
                return self._list(picture, distinct=True)
            case shape.Metadata(type=inner):
                return self.build(inner)
            case shape.CustomType(cls=cls) if is_model(cls):
                return self._late(cls, lambda: self._model(cls))
            case _ if isinstance(picture, OBJECTS):
                return self._late(picture, lambda: self._object(picture))
            case _:
                return _one_of(_ANYTHING)

    def _late(self, key: object, make: Callable[[], Draw]) -> Draw:
        """What `make` makes, found under `key` while it is being made."""
        found = self._objects.get(id(key))
        if found is not None:
            return found
        self._objects[id(key)] = lambda source, depth: self._objects[id(key)](source, depth)
        made = self._objects[id(key)] = make()
        return made

    def _union(self, members: tuple[Shape, ...]) -> Draw:
        # The member with the fewest parts ends what would otherwise grow for ever.
        by_size = sorted(members, key=lambda member: sum(1 for _ in walk(member)))
        draws = tuple(self.build(member) for member in by_size)

        def draw(source: Source, depth: int) -> Any:
            return (draws[0] if depth >= DEPTH_MAX else source.choice(draws))(source, depth)

        return draw

    def _list(self, picture: Any, *, distinct: bool) -> Draw:
        least: int = picture.min_length or 0
        sizes = _sizes(least, picture.max_length)
        inner = self.build(picture.item_type)

        def draw(source: Source, depth: int) -> list[Any]:
            size = source.choice(sizes) if depth < SIZED_DEPTH_MAX else least
            if distinct:
                return _distinct(source, depth, inner, size)
            return [inner(source, depth + 1) for _ in range(size)]

        return draw

    def _dict(self, picture: shape.DictType) -> Draw:
        least = picture.min_length or 0
        sizes = _sizes(least, picture.max_length)
        key, value = self.build(picture.key_type), self.build(picture.value_type)

        def draw(source: Source, depth: int) -> dict[str, Any]:
            size = source.choice(sizes) if depth < SIZED_DEPTH_MAX else least
            keys = map(_as_key, _distinct(source, depth, key, size))
            return {each: value(source, depth + 1) for each in keys}

        return draw

    def _object(self, picture: Any) -> Draw:
        fields = [(f.encode_name, f.required, self.build(f.type)) for f in picture.fields]
        tag: dict[str, Any] = {}
        if getattr(picture, "tag_field", None):
            tag = {picture.tag_field: picture.tag}
        if isinstance(picture, shape.NamedTupleType) or getattr(picture, "array_like", False):
            tags = tuple(_one_of((value,)) for value in tag.values())
            return _positions((*tags, *(draw for _, _, draw in fields)))
        return _fields(tag, fields)

    def _model(self, cls: Any) -> Draw:
        """Of a pydantic model: its fields have types and, apart from these, constraints."""
        fields = [
            (_key_of(name, field), field.is_required(), self.build(_constrained(field)))
            for name, field in cls.model_fields.items()
        ]
        if getattr(cls, "__pydantic_root_model__", False):
            return fields[0][2]
        return _fields({}, fields)


# ---- parts ---------------------------------------------------------------------------------------
def _fields(tag: dict[str, Any], fields: Sequence[tuple[str, bool, Draw]]) -> Draw:
    def draw(source: Source, depth: int) -> dict[str, Any]:
        made = dict(tag)
        for name, required, inner in fields:
            if required or (depth < DEPTH_MAX and source.happens(0.5)):
                made[name] = inner(source, depth + 1)
        return made

    return draw


def _positions(each: tuple[Draw, ...]) -> Draw:
    return lambda source, depth: [draw(source, depth + 1) for draw in each]


def _sizes(least: int, most: int | None) -> tuple[int, ...]:
    top = max(least, 3) if most is None else most
    fitting = tuple(size for size in _SIZES if least <= size <= top)
    return fitting or tuple(range(least, min(top, least + 2) + 1))


def _distinct(source: Source, depth: int, draw: Draw, size: int) -> list[Any]:
    """Elements that differ, fewer where the domain has no more."""
    found: dict[bytes, Any] = {}
    for _ in range(size * _DISTINCT_TRIES):
        if len(found) == size:
            break
        value = draw(source, depth + 1)
        found.setdefault(_encode(value), value)
    return list(found.values())


def _said(picture: Shape) -> str:
    """A scalar type with its constraints, for people."""
    bounds = msgspec.structs.asdict(picture).items()
    said = ", ".join(f"{name}={bound!r}" for name, bound in bounds if bound is not None)
    return f"{words(picture)} with {said}" if said else words(picture)


def _as_key(value: Any) -> str:
    return value if isinstance(value, str) else _encode(value).decode()


def _key_of(name: str, field: Any) -> str:
    """The key under which a model takes a field from JSON."""
    alias = field.validation_alias or field.alias
    return alias if isinstance(alias, str) else name


_CONSTRAINTS = ("ge", "gt", "le", "lt", "multiple_of", "min_length", "max_length", "pattern")


def _constrained(field: Any) -> Shape:
    """The picture of a model's field, with the constraints that msgspec does not read."""
    found = {
        name: value
        for constraint in field.metadata
        for name in _CONSTRAINTS
        if (value := getattr(constraint, name, None)) is not None
    }
    picture = shape_of(field.annotation)
    if isinstance(picture, shape.UnionType):
        return shape.UnionType(tuple(_narrowed(member, found) for member in picture.types))
    return _narrowed(picture, found)


def _narrowed(picture: Shape, constraints: Mapping[str, Any]) -> Shape:
    known = {name: each for name, each in constraints.items() if hasattr(picture, name)}
    return msgspec.structs.replace(picture, **known) if known else picture
