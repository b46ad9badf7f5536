"""Tables of a view: which method makes rows of which changes, and what is wrong with it."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from actorkalix.describe.annotations import members
from actorkalix.describe.descriptors import (
    ComponentDescriptor,
    TableDescriptor,
    TableHandler,
    described,
)
from actorkalix.describe.handlers import Scope
from actorkalix.describe.marked import Marked, has_messages, is_stream, is_topic, marked_methods
from actorkalix.describe.row_methods import Signatures, accepts, place_in
from actorkalix.describe.shapes import name_of, unfit
from actorkalix.describe.snapshots import is_of_source
from actorkalix.describe.streams import taking_problem
from actorkalix.limits import TABLE_NAME_BYTES_MAX
from actorkalix.model.component import Component
from actorkalix.model.entities import EventSourcedEntity, ValueEntity
from actorkalix.model.handlers import Method, StreamMethod
from actorkalix.model.names import topic_problem
from actorkalix.model.tables import Table
from actorkalix.model.workflows import Workflow

MARKS = ("table", "on_delete", "on_snapshot")


def check_no_tables(scope: Scope) -> None:
    """Marks of tables belong into views."""
    for one in marked_methods(scope.cls):
        if one.mark.kind in MARKS and not (scope.kind == "action" and is_of_source(one.mark)):
            scope.problems.add(
                place_in(one, scope), f"{one.name} has @{one.mark.kind}; only views have tables"
            )


def describe_tables(scope: Scope) -> dict[str, TableDescriptor]:
    """The tables of a view by name; what is wrong goes to `scope.problems`."""
    groups: dict[str, list[Marked]] = {}
    tried = False
    for one in marked_methods(scope.cls):
        tried = tried or one.mark.kind == "table"
        if one.mark.kind == "subscribe":
            said = "subscribes; only actions do: a view has @table"
            scope.problems.add(place_in(one, scope), f"{one.name} {said}")
        if one.mark.kind == "table" and _is_name(scope, one):
            groups.setdefault(one.mark.table, []).append(one)
    _check_cases(scope, groups)
    if not tried:
        scope.problems.add(
            scope.place, 'has no table; mark a method with @table("rows", source=...)'
        )
    others = [one for one in marked_methods(scope.cls) if one.mark.kind in MARKS[1:]]
    for one in others:
        if is_of_source(one.mark):
            said = f"takes snapshots of {_called(one.mark.source)}; in a view, name the table"
            scope.problems.add(place_in(one, scope), f"{one.name} {said}")
        elif one.mark.table not in groups:
            known = list(groups)
            near = difflib.get_close_matches(str(one.mark.table), known, 1) or known
            hint = f"; did you mean {near[0]!r}?" if near else ""
            said = f"names the table {one.mark.table!r}, which the view has not{hint}"
            scope.problems.add(place_in(one, scope), f"{one.name} {said}")
    made = {
        name: _Table(scope, name, marks, [one for one in others if one.mark.table == name]).made()
        for name, marks in groups.items()
    }
    return {name: one for name, one in made.items() if one is not None}


def _is_name(scope: Scope, one: Marked) -> bool:
    name: Any = one.mark.table
    problem = ""
    if not isinstance(name, str) or not name.strip():
        problem = f"needs the name of its table, got {name!r}"
    elif name.startswith("$") or name.lower().startswith("sqlite_"):
        problem = f"names its table {name!r}; such names are SQLite's and ours"
    elif not name.isprintable():
        problem = f"names its table {name!r}; its name has no control characters"
    elif (size := len(name.encode("utf-8", "surrogatepass"))) > TABLE_NAME_BYTES_MAX:
        problem = f"has a table's name of {size} bytes; it has at most {TABLE_NAME_BYTES_MAX}"
    if problem:
        scope.problems.add(place_in(one, scope), f"{one.name} {problem}")
    return not problem


def _check_cases(scope: Scope, groups: Mapping[str, Sequence[Marked]]) -> None:
    seen: dict[str, str] = {}
    for name, marks in groups.items():
        other = seen.setdefault(name.lower(), name)
        if other != name:
            said = f"names the table {name!r}, another {other!r}: to SQLite they are one"
            scope.problems.add(place_in(marks[0], scope), f"{marks[0].name} {said}")


class _Table(Signatures):
    """One table on its way to a descriptor."""

    def __init__(
        self, scope: Scope, name: str, marks: Sequence[Marked], others: Sequence[Marked]
    ) -> None:
        super().__init__(scope)
        self.name = name
        self.declared = [one for one in marks if isinstance(one.fn, Table)]
        self.methods = [one for one in marks if not isinstance(one.fn, Table)]
        self.others = others
        self.first = marks[0]
        self.place = place_in(self.first, scope)
        self.source: Any = self.first.mark.source

    def made(self) -> TableDescriptor | None:
        before = len(self.scope.problems)
        self._check_source()
        self._check_only()
        sound = before == len(self.scope.problems)
        self._check_number()
        handlers = [self._handler(one) for one in self.methods]
        on_delete = self._special("on_delete")
        on_snapshot = self._special("on_snapshot")
        if not sound:
            return None
        changes = self._changes()
        self._check_taken(changes)
        row = self._row(changes)
        if row is None:
            return None
        from actorkalix.viewsql.shapes import ShapeProblem, shape_of

        try:
            shape = shape_of(self.name, row)
        except ShapeProblem as problem:
            for text in problem.texts:
                self.scope.problems.add(self.place, f"table {self.name!r}: {text}")
            return None
        # Those that take one type come first: the one that takes the rest would take theirs.
        ordered = sorted(handlers, key=lambda one: one.only is None)
        special = (on_delete, on_snapshot)
        passes = not handlers
        return TableDescriptor(
            self.name, shape, self.source, tuple(ordered), *special, passes, self.place
        )

    # ---- the source --------------------------------------------------------------------------
    def _check_source(self) -> None:
        problem = _wrong_source(self.first)
        if problem:
            self.wrong(self.first, problem)
        for one in (*self.declared, *self.methods):
            if one.mark.source != self.source:
                said = f"takes {_called(one.mark.source)} into the table {self.name!r}"
                hint = "a table has one source, give it one of its own"
                self.wrong(one, f"{said}, {self.first.name} {_called(self.source)}; {hint}")

    def _changes(self) -> tuple[Any, ...]:
        """Types that a change of the source may have; () when it does not say."""
        if not isinstance(self.source, type):
            return () if self.source.message in (None, Any) else members(self.source.message)
        component = described(self.source)
        assert component is not None, "checked before"
        return _changes_of(component)

    def _is_events(self) -> bool:
        return isinstance(self.source, type) and issubclass(self.source, EventSourcedEntity)

    # ---- what is there, and how often ---------------------------------------------------------
    def _check_only(self) -> None:
        for one in self.methods:
            if one.mark.only is not None and not isinstance(one.mark.only, type):
                self.wrong(one, f"takes only={one.mark.only!r}; it is one class")

    def _check_number(self) -> None:
        for one in self.declared[1:]:
            self.wrong(one, f"declares the table {self.name!r} again, as {self.declared[0].name}")
        if self.declared and self.methods:
            one = self.declared[0]
            said = f"declares the table {self.name!r} without a method"
            self.wrong(one, f"{said}; {self.methods[0].name} makes its rows, take {one.name} away")
        if self.declared and self.declared[0].mark.only is not None:
            self.wrong(self.declared[0], "takes only= without a method; write one, or take it away")
        for at, one in enumerate(self.methods):
            other = next((o for o in self.methods[:at] if o.mark.only == one.mark.only), None)
            if other is not None:
                what = name_of(one.mark.only) if one.mark.only else "all changes"
                said = f"takes {what} of {_called(self.source)} into {self.name!r}"
                self.wrong(one, f"{said}, as {other.name} does; give each only= another type")

    def _special(self, kind: str) -> TableHandler | None:
        found = [one for one in self.others if one.mark.kind == kind]
        for one in found[1:]:
            said = f"is @{kind} of {self.name!r}, as {found[0].name} is; a table has one"
            self.wrong(one, said)
        if not found:
            return None
        one = found[0]
        where = _called(self.source)
        if kind == "on_delete" and not isinstance(self.source, type):
            self.wrong(one, f"takes notices of deletes, which {where} does not have (VW-19)")
        if kind == "on_snapshot" and not self._is_events():
            self.wrong(one, f"takes snapshots, which {where} does not have; only events do")
        if kind == "on_delete":
            self.check_signature(one, ("row",), rows_at=0)
        else:
            self.check_signature(one, ("state",))
            self._check_state(one)
        return TableHandler(one.name, one.fn, None, place_in(one, self.scope))

    def _check_state(self, one: Marked) -> None:
        component = described(self.source) if self._is_events() else None
        if component is None or component.state is None:
            return
        takes = self.annotation(one, 0, "state")
        if not accepts(takes, component.state.type):
            state = name_of(component.state.type)
            said = f"takes {name_of(takes)}; a snapshot of {_called(self.source)} is {state}"
            self.wrong(one, said)

    def _handler(self, one: Marked) -> TableHandler:
        self.check_signature(one, ("row", "change"), rows_at=0)
        takes = self.annotation(one, 1, "change")
        if not isinstance(self.source, type):
            for problem in (text for member in members(takes) for text in unfit(member)):
                self.wrong(one, f"cannot take messages: {problem}")
        return TableHandler(one.name, one.fn, one.mark.only, place_in(one, self.scope), takes)

    # ---- changes and rows ---------------------------------------------------------------------
    def _check_taken(self, changes: tuple[Any, ...]) -> None:
        """Every handler is given what it says, and one that takes the rest says all of it."""
        source = _called(self.source)
        apart = [one.mark.only for one in self.methods if one.mark.only is not None]
        for one in self.methods:
            only = one.mark.only
            if only is not None and isinstance(self.source, type) and not self._is_events():
                self.wrong(one, f"takes only={name_of(only)}; {source} has states of one type")
                continue
            if only is not None and changes and only not in changes:
                union = " | ".join(name_of(each) for each in changes)
                does = "persists" if self._is_events() else "has"
                said = f"takes only={name_of(only)}, which {source} never {does}"
                self.wrong(one, f"{said}; its {self._kind()} are {union}")
                continue
            wanted = [only] if only is not None else [c for c in changes if c not in apart]
            takes = self.annotation(one, 1, "change")
            missing = [each for each in wanted if not accepts(takes, each)]
            if missing:
                union = " | ".join(name_of(each) for each in missing)
                hint = "say only= where it takes one of several" if only is None else "take it"
                said = f"takes {name_of(takes)}; {source} has also {union}"
                if only is not None or len(missing) == len(wanted):
                    said = f"takes {name_of(takes)}; the {self._kind()} of {source} are {union}"
                    hint = "take these"
                self.wrong(one, f"{said}: {hint}")

    def _kind(self) -> str:
        if not isinstance(self.source, type):
            return "messages"
        return "events" if self._is_events() else "states"

    def _row(self, changes: tuple[Any, ...]) -> Any:
        """The class of the rows, or None when nobody says it, or some say another."""
        if not self.methods:
            if self._is_events():
                hint = "write a method that makes rows of its events"
                self.wrong(self.first, f"takes {_called(self.source)}, which has events; {hint}")
                return None
            if len(changes) != 1:
                names = "name" if is_topic(self.source) else "service, name"
                hint = f"write a method, or say {self.source.kind}({names}, Class)"
                self.wrong(self.first, f"says no class of rows; {hint}")
                return None
            self.rows.setdefault(changes[0], self.first)
        rows = list(self.rows)
        for other in rows[1:]:
            one, first = self.rows[other], self.rows[rows[0]]
            said = f"makes rows of {name_of(other)} for the table {self.name!r}"
            self.wrong(one, f"{said}, {first.name} of {name_of(rows[0])}; a table has one class")
        if not rows and self.methods:
            self.wrong(
                self.first, "says no class of rows; write row: Row | None, -> RowEffect[Row]"
            )
        return rows[0] if len(rows) == 1 else None


def _changes_of(component: ComponentDescriptor) -> tuple[Any, ...]:
    if component.kind == "event_sourced":
        return tuple(one.type for one in component.events)
    return () if component.state is None else (component.state.type,)


def _wrong_source(one: Marked) -> str:
    source: Any = one.mark.source
    if is_topic(source):
        problem = topic_problem(source.name)
        return f"takes a topic whose name {problem}" if problem else ""
    if is_stream(source):
        return taking_problem(one.mark)
    if not (isinstance(source, type) and issubclass(source, Component)):
        return f"takes {source!r}, which is no source; name an entity's class or a topic"
    if not issubclass(source, (EventSourcedEntity, ValueEntity, Workflow)):
        return f"takes {source.__name__}, which has no changes; name an entity's class"
    if described(source) is None:
        return f"takes {source.__name__}, which is abstract; name a class with an id"
    return ""


def _called(source: Any) -> str:
    if has_messages(source):
        return f"{source.kind}({source.label!r})"
    return name_of(source)


def check_not_queries(scope: Scope) -> None:
    """A method makes rows or answers a query."""
    for one in marked_methods(scope.cls):
        value = inspect.getattr_static(scope.cls, one.name)
        if one.mark.kind in MARKS and isinstance(value, (Method, StreamMethod)):
            said = f"is marked @{one.mark.kind} and @{value.kind}; keep one"
            scope.problems.add(place_in(one, scope), f"{one.name} {said}")
