"""Descriptors: what the machinery knows of a user's class, frozen. It never reads the class."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal, cast

import msgspec

if TYPE_CHECKING:
    from actorkalix.viewsql.query import Query
    from actorkalix.viewsql.shapes import TableShape


HandlerKind = Literal["command", "query", "handler", "sql", "notifications", "step"]
ComponentKind = Literal["event_sourced", "value", "replicated", "action", "view", "workflow"]
Verb = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]


class Place(msgspec.Struct, frozen=True):
    """Where the user wrote it."""

    file: str
    line: int


class Parameter(msgspec.Struct, frozen=True):
    """A parameter of a handler, without `self`.

    Attributes:
        name: as written.
        type: the resolved annotation.
        required: it has no default.
        default: its default, when it has one.
        structured: a dataclass, struct, TypedDict, NamedTuple or model: alone it is the whole body.
        keyword_only: it stands behind a `*`.
    """

    name: str
    type: Any
    required: bool = True
    default: Any = None
    structured: bool = False
    keyword_only: bool = False


class RouteDescriptor(msgspec.Struct, frozen=True):
    """A route of a handler; segments in braces are parameters."""

    verb: Verb
    path: str
    place: Place


class HandlerDescriptor(msgspec.Struct, frozen=True):
    """A handler of a component.

    Attributes:
        name: of the method.
        kind: what its mark said.
        fn: the function that the user wrote (unbound).
        parameters: in order.
        whole_body: its one parameter is structured, so it is the whole JSON body.
        reply: what the caller gets (`R` of `Effect[R]`, or the return type).
        returns_effect: the declared return type is an `Effect`.
        routes: custom routes; the default routes go without saying.
        place: where it is written.
        blocking: a plain function, which may wait for its calls (actions).
        streams: the reply is a stream of `reply`.
        elements: the parameter that is a stream (its type is that of an element); it is none of
            `parameters`.
        publishes: topics to which its value goes.
    """

    name: str
    kind: HandlerKind
    fn: Callable[..., Any]
    parameters: tuple[Parameter, ...]
    whole_body: bool
    reply: Any
    returns_effect: bool
    routes: tuple[RouteDescriptor, ...]
    place: Place
    blocking: bool = False
    streams: bool = False
    elements: Parameter | None = None
    publishes: tuple[str, ...] = ()


class ChangeHandler(msgspec.Struct, frozen=True):
    """A method of an action that takes changes.

    Attributes:
        name: of the method.
        fn: the function that the user wrote (unbound).
        only: the one class of events that it takes, or None for all.
        deletes: it takes notices of deletes, without an argument.
        batch: it takes a list of changes.
        blocking: a plain function, which may wait for its calls.
        place: where it is written.
        takes: type of what it takes, of one in a list; read for messages of topics alone.
        publishes: topics to which its value goes.
        snapshots: it takes an entity's state as a snapshot holds it.
    """

    name: str
    fn: Callable[..., Any]
    only: Any
    deletes: bool
    batch: bool
    blocking: bool
    place: Place
    takes: Any = Any
    publishes: tuple[str, ...] = ()
    snapshots: bool = False


class Subscription(msgspec.Struct, frozen=True):
    """A consumer of an action: its methods for one source.

    Attributes:
        consumer: its id, by which the service remembers how far it has read.
        source: the entity's class, or a topic (`model.sources.Source`).
        handlers: by name.
        batch_max: changes that it takes at once, 1 and up.
        blocks: a failure stops it as a whole.
        dead_letters: what it fails on for long is put away.
        from_now: a new one begins with what comes.
        from_ms: what is older is skipped, milliseconds since 1970.
    """

    consumer: str
    source: Any
    handlers: Mapping[str, ChangeHandler]
    batch_max: int = 1
    blocks: bool = False
    from_now: bool = False
    from_ms: int = 0
    dead_letters: bool = False


class StoredType(msgspec.Struct, frozen=True):
    """A type under whose tag values are stored.

    Attributes:
        tag: stable name, by default the class's name.
        version: of its fields, 1 and up.
        type: the class.
        migrations: from version to the function that makes the next version of a payload (a dict).
    """

    tag: str
    version: int
    type: Any
    migrations: Mapping[int, Callable[[dict[str, Any]], dict[str, Any]]]


class TableHandler(msgspec.Struct, frozen=True):
    """A method of a view that makes rows.

    Attributes:
        name: of the method.
        fn: the function that the user wrote (unbound): `(self, row, change)`, of `on_delete`
            `(self, row)`, of `on_snapshot` `(self, state)`.
        only: the one class of changes that it takes, or None for all that no other takes.
        place: where it is written.
        takes: type of the change; read for messages of topics alone.
    """

    name: str
    fn: Callable[..., Any]
    only: Any
    place: Place
    takes: Any = Any


class TableDescriptor(msgspec.Struct, frozen=True):
    """A table of a view.

    Attributes:
        name: as the view's SQL says it.
        shape: class of its rows and their columns.
        source: the entity's or workflow's class, or a topic (`model.sources.Source`).
        handlers: of its changes; none when `pass_through`.
        on_delete: what happens to the row of a deleted entity; None: it is removed.
        on_snapshot: makes the first row of an entity out of a snapshot.
        pass_through: states (or messages) are the rows.
        place: where it is declared.
    """

    name: str
    shape: TableShape
    source: Any
    handlers: tuple[TableHandler, ...]
    on_delete: TableHandler | None
    on_snapshot: TableHandler | None
    pass_through: bool
    place: Place

    def handler_of(self, change: object) -> TableHandler | None:
        """The handler that takes a change; None: it is ignored, and the position moves on."""
        return next(
            (one for one in self.handlers if one.only is None or isinstance(change, one.only)),
            None,
        )


class QueryDescriptor(msgspec.Struct, frozen=True):
    """A query of a view.

    Attributes:
        name: of the method.
        query: the compiled SQL.
        handler: the method: its parameters, reply and routes.
        streams: rows are handed over one by one.
        stream_updates: and then every row that changes, without end.
        fields: of the one object that the method takes; else none.
    """

    name: str
    query: Query
    handler: HandlerDescriptor
    streams: bool
    stream_updates: bool
    fields: tuple[str, ...] = ()

    def placeholders(self, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """Values by the names that the SQL has: the parameters, or the fields of the one object."""
        if not self.handler.whole_body:
            return arguments
        [value] = arguments.values()
        if isinstance(value, dict):
            fields = cast("dict[str, Any]", value)
            return {name: fields.get(name) for name in self.fields}
        return {name: getattr(value, name) for name in self.fields}


class ViewDescriptor(msgspec.Struct, frozen=True):
    """What a view adds to its component.

    Attributes:
        tables: by name.
        queries: by name of the method.
        fingerprint: of whatever makes the rows: names and shapes of the tables, their sources, the
            code of the handlers; another one means that the tables are built anew. Queries are no
            part of it.
    """

    tables: Mapping[str, TableDescriptor]
    queries: Mapping[str, QueryDescriptor]
    fingerprint: str


class RecoveryDescriptor(msgspec.Struct, frozen=True):
    """What becomes of a step that fails.

    Attributes:
        retries: after the first attempt; -1 without end.
        initial_ms, factor, cap_ms: wait before the second attempt, how much longer each next one
            is, and the longest.
        jitter: share of each wait that is left to chance, 0 to 1.
        max_elapsed_ms: no attempt begins later than this after the first; 0 without end.
        final: errors after which no attempt follows.
        step: name of the step to go on with after the last attempt, or "".
        args: input of that step.
        undoes: what was done is undone before that step, or before the workflow has failed.
    """

    retries: int = -1
    initial_ms: int = 3_000
    factor: float = 2.0
    cap_ms: int = 30_000
    jitter: float = 0.2
    max_elapsed_ms: int = 0
    final: tuple[type[BaseException], ...] = ()
    step: str = ""
    args: tuple[Any, ...] = ()
    undoes: bool = False


class StepDescriptor(msgspec.Struct, frozen=True):
    """A step of a workflow.

    Attributes:
        name: under which it is stored.
        handler: its method; `handler.name` is that of the step too.
        attribute: name of the method.
        timeout_ms: of one attempt.
        recovery: what becomes of it when it fails.
        is_async: it runs on the host's event loop; else it is a Ray task.
        resources: that the task needs: num_cpus, num_gpus, memory, runtime_env.
    """

    name: str
    handler: HandlerDescriptor
    attribute: str
    timeout_ms: int
    recovery: RecoveryDescriptor
    is_async: bool
    resources: Mapping[str, Any] = {}


class ComponentDescriptor(msgspec.Struct, frozen=True):
    """A component class.

    Attributes:
        component_id: its id.
        kind: which base it has.
        cls: the user's class.
        handlers: by name, inherited ones too.
        place: where the class is written.
        state: type under which states are stored (entities and workflows).
        events: types of the events, in the order of the union (event sourced entities).
        snapshot_every: events between snapshots; 0 is never.
        options: further class options as given.
        subscriptions: of an action.
        view: tables and queries of a view.
        steps: of a workflow, by the names under which they are stored.
    """

    component_id: str
    kind: ComponentKind
    cls: type[Any]
    handlers: Mapping[str, HandlerDescriptor]
    place: Place
    state: StoredType | None = None
    events: tuple[StoredType, ...] = ()
    snapshot_every: int = 100
    options: Mapping[str, Any] = {}
    subscriptions: tuple[Subscription, ...] = ()
    view: ViewDescriptor | None = None
    steps: Mapping[str, StepDescriptor] = {}


DESCRIPTOR = "__actorkalix_descriptor__"
"""Where a class keeps its descriptor."""


def described(cls: Any) -> ComponentDescriptor | None:
    """The descriptor of a class, or None when it has none: it is no component, or abstract."""
    found: ComponentDescriptor | None = getattr(cls, "__dict__", {}).get(DESCRIPTOR)
    return found


class ServiceDescriptor(msgspec.Struct, frozen=True):
    """A service: its name and its components by id, without clashes of ids and routes."""

    name: str
    components: Mapping[str, ComponentDescriptor]
