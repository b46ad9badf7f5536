"""Steps of workflows: from marked methods to descriptors, with everything that is wrong about them.

A step is found by the name under which it is stored; methods of base classes count, and a subclass
that writes one of the same method name replaces it (WF-03).
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any, get_origin

import msgspec

from actorkalix.describe.descriptors import (
    HandlerDescriptor,
    Parameter,
    Place,
    RecoveryDescriptor,
    StepDescriptor,
)
from actorkalix.describe.handlers import Scope, parameters_of
from actorkalix.describe.needs import resource_problems
from actorkalix.describe.problems import place_of
from actorkalix.describe.shapes import name_of
from actorkalix.limits import ENTITY_ID_BYTES_MAX, STEP_TIMEOUT
from actorkalix.model.effects import Effect
from actorkalix.model.steps import Backoff, Recovery, Step
from actorkalix.model.workflow_effects import StepEffect
from actorkalix.model.workflows import CONTROLS

AnyStep = Step[Any, ...]
_MS = timedelta(milliseconds=1)


def steps_of(cls: type[Any]) -> dict[str, AnyStep]:
    """The steps of a class and its bases by the names of their methods, in the order of writing."""
    found: dict[str, AnyStep | None] = {}
    for base in reversed(cls.__mro__):
        for name, value in vars(base).items():
            if isinstance(value, Step):
                found[name] = value
            elif name in found:
                found[name] = None  # something else stands there now
    return {name: step for name, step in found.items() if step is not None}


def refuse_steps(scope: Scope) -> None:
    """Steps of a component that is no workflow."""
    for name, step in steps_of(scope.cls).items():
        scope.problems.add(
            place_of(step.fn, scope.place), f"{name} is a @step; only workflows have steps"
        )


def describe_steps(
    scope: Scope, options: Mapping[str, Any], handlers: Mapping[str, HandlerDescriptor]
) -> dict[str, StepDescriptor]:
    """Descriptors of all steps of a workflow by stored name; problems go to `scope.problems`."""
    if not any(one.kind == "command" and name not in CONTROLS for name, one in handlers.items()):
        scope.problems.add(
            scope.place, "has no command, so nothing could start it; mark one with @command"
        )
    _check_notifications(scope, handlers)
    described = _Workflow(scope, options, steps_of(scope.cls))
    return described.descriptors()


def _check_notifications(scope: Scope, handlers: Mapping[str, HandlerDescriptor]) -> None:
    found = [one for one in handlers.values() if one.kind == "notifications"]
    for one in found[1:]:
        said = f"{found[0].name} and {one.name} are both @notifications"
        scope.problems.add(one.place, f"{said}; a workflow tells one type, which may be a union")
    for one in found:
        if not one.streams:
            scope.problems.add(one.place, f"{one.name} streams; write -> AsyncIterator[...]")
        if one.parameters:
            scope.problems.add(one.place, f"{one.name} takes nothing; all who listen hear the same")


class _Workflow:
    """A workflow on its way to its descriptors."""

    def __init__(
        self, scope: Scope, options: Mapping[str, Any], steps: Mapping[str, AnyStep]
    ) -> None:
        self._scope = scope
        self._options = options
        self._steps = steps
        self._timeout = self._timed("timeout")
        self._step_timeout = self._timed("step_timeout") or STEP_TIMEOUT
        self._parameters = {
            step.name: parameters_of(scope, attribute, step.fn) for attribute, step in steps.items()
        }

    def descriptors(self) -> dict[str, StepDescriptor]:
        self._check_options()
        found: dict[str, StepDescriptor] = {}
        for attribute, step in self._steps.items():
            place = place_of(step.fn, self._scope.place)
            if step.name in found:
                other = found[step.name].attribute
                self._wrong(
                    place,
                    f"{attribute} and {other} are both the step {step.name!r}; "
                    "give one another name",
                )
            found[step.name] = self._descriptor(attribute, step, place)
        return found

    def _descriptor(self, attribute: str, step: AnyStep, place: Place) -> StepDescriptor:
        is_async = inspect.iscoroutinefunction(inspect.unwrap(step.fn))
        self._check_name(attribute, step.name, place)
        self._check_function(attribute, step, place, is_async)
        timeout: Any = self._step_timeout if step.timeout is None else step.timeout
        if not isinstance(timeout, timedelta) or timeout <= timedelta(0):
            self._wrong(place, f"{attribute}: timeout is a timedelta above 0, got {timeout!r}")
            timeout = STEP_TIMEOUT
        if self._timeout is not None and self._timeout <= timeout:
            said = f"{attribute} may take {timeout}; give the workflow more than its"
            self._wrong(place, f"{said} {self._timeout}")
        recover = self._options.get("recover") if step.recover is None else step.recover
        own = step.recover is not None
        handler = HandlerDescriptor(
            step.name,
            "step",
            step.fn,
            self._parameters[step.name],
            whole_body=False,
            reply=type(None),
            returns_effect=True,
            routes=(),
            place=place,
            blocking=not is_async,
        )
        return StepDescriptor(
            *(step.name, handler, attribute, max(1, timeout // _MS)),
            self._recovery(attribute if own else "", recover, place if own else self._scope.place),
            is_async,
            step.resources,
        )

    # ---- what can be wrong ----------------------------------------------------------------------
    def _check_options(self) -> None:
        late = self._options.get("on_timeout")
        if late is None:
            return
        place = self._scope.place
        if self._options.get("timeout") is None:
            self._wrong(place, "on_timeout= says what runs then, timeout= says when; write both")
        if isinstance(late, str):
            self._check_target("on_timeout", late, (), place)
        elif isinstance(late, Recovery) and late.step is not None and not late.undoes:
            self._check_target("on_timeout", late.step, late.args, place)
        else:
            self._wrong(place, f"on_timeout is a step's name or failover_to(...), got {late!r}")

    def _check_name(self, attribute: str, name: object, place: Place) -> None:
        if not isinstance(name, str) or not name.strip() or not name.isprintable():
            self._wrong(place, f"{attribute}: the name of a step is a text, got {name!r}")
        elif (size := len(name.encode("utf-8", "surrogatepass"))) > ENTITY_ID_BYTES_MAX:
            said = f"at most {ENTITY_ID_BYTES_MAX} are allowed"
            self._wrong(place, f"{attribute}: the name of a step has {size} bytes, {said}")

    def _check_function(self, attribute: str, step: AnyStep, place: Place, is_async: bool) -> None:
        fn = inspect.unwrap(step.fn)
        if inspect.isgeneratorfunction(fn) or inspect.isasyncgenfunction(fn):
            self._wrong(place, f"{attribute} is a generator; a step returns once")
        self._check_returns(attribute, fn, place)
        for problem in resource_problems(step.resources):
            self._wrong(place, f"{attribute}: {problem}")
        if is_async and step.resources:
            named = ", ".join(f"{name}=" for name in step.resources)
            self._wrong(
                place,
                f"{attribute} is a coroutine and runs on its host's loop; {named} is about tasks: "
                "write a plain def, or leave it out",
            )

    def _check_returns(self, attribute: str, fn: Any, place: Place) -> None:
        said = f"{attribute} has no return type; write -> StepEffect"
        annotation = getattr(fn, "__annotations__", {}).get("return")
        if annotation is None:
            self._wrong(place, said)
            return
        try:
            returns = self._scope.type_of(annotation, fn, self._scope.owner(attribute))
        except (NameError, TypeError, AttributeError, SyntaxError) as problem:
            self._wrong(place, f"{attribute}: its return type cannot be read ({problem})")
            return
        if returns is Effect or get_origin(returns) is Effect:
            self._wrong(place, f"{attribute} returns an Effect; a step has no reply: -> StepEffect")
        elif not (isinstance(returns, type) and issubclass(returns, StepEffect)):
            self._wrong(place, f"{attribute} returns {name_of(returns)}; write -> StepEffect")

    # ---- recovery -------------------------------------------------------------------------------
    def _recovery(self, attribute: str, recover: Any, place: Place) -> RecoveryDescriptor:
        if recover is None:
            return RecoveryDescriptor()
        what = f"{attribute}: recover" if attribute else "recover"
        if not isinstance(recover, Recovery):
            self._wrong(place, f"{what} is max_retries(...) or failover_to(...), got {recover!r}")
            return RecoveryDescriptor()
        problems = list(_recovery_problems(recover))
        for problem in problems:
            self._wrong(place, f"{what}: {problem}")
        if recover.step is not None:
            verb = "goes on after its undo with" if recover.undoes else "fails over to"
            self._check_target(
                f"{attribute or 'recover'} {verb}", recover.step, recover.args, place
            )
        if problems:
            return RecoveryDescriptor()
        backoff = recover.backoff
        return RecoveryDescriptor(
            -1 if recover.retries is None else recover.retries,
            max(1, backoff.initial // _MS),
            float(backoff.factor),
            max(1, backoff.cap // _MS),
            float(backoff.jitter),
            0 if backoff.max_elapsed is None else max(1, backoff.max_elapsed // _MS),
            recover.final,
            recover.step or "",
            recover.args,
            recover.undoes,
        )

    def _check_target(self, said: str, name: str, args: tuple[Any, ...], place: Place) -> None:
        parameters = self._parameters.get(name)
        if parameters is None:
            known = ", ".join(sorted(self._parameters)) or "none"
            where = self._scope.cls.__name__
            self._wrong(place, f"{said} {name!r}, which is no step of {where}; they are {known}")
            return
        for problem in _input_problems(parameters, args):
            self._wrong(place, f"{said} {name!r} with {_shown(args)}: {problem}")

    def _timed(self, option: str) -> timedelta | None:
        value = self._options.get(option)
        return value if isinstance(value, timedelta) and value > timedelta(0) else None

    def _wrong(self, place: Place, text: str) -> None:
        self._scope.problems.add(place, text)


def _recovery_problems(recover: Recovery) -> Iterator[str]:
    retries: Any = recover.retries
    final: Any = recover.final
    if retries is not None and (type(retries) is not int or retries < 0):
        yield f"retries is a number from 0 up, or None without end, got {retries!r}"
    yield from _backoff_problems(recover.backoff)
    if not isinstance(final, tuple) or not all(map(_is_error, recover.final)):
        yield f"final is a tuple of classes of errors, got {final!r}"


def _is_error(one: Any) -> bool:
    return isinstance(one, type) and issubclass(one, BaseException)


def _backoff_problems(given: Backoff) -> Iterator[str]:
    backoff: Any = given  # anything may have been given
    for name, value in (("initial", backoff.initial), ("cap", backoff.cap)):
        if not isinstance(value, timedelta) or value <= timedelta(0):
            yield f"{name} is a timedelta above 0, got {value!r}"
            return
    for name, value, least, most in (
        ("factor", backoff.factor, 1, float("inf")),
        ("jitter", backoff.jitter, 0, 1),
    ):
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            yield f"{name} is a number, got {value!r}"
        elif not least <= value <= most:
            yield f"{name} is from {least} {'up' if most > 1 else f'to {most}'}, got {value!r}"
    elapsed = backoff.max_elapsed
    if elapsed is not None and (not isinstance(elapsed, timedelta) or elapsed <= timedelta(0)):
        yield f"max_elapsed is a timedelta above 0, got {elapsed!r}"


def _input_problems(parameters: tuple[Parameter, ...], args: tuple[Any, ...]) -> Iterator[str]:
    """What is wrong about an input that is written beside a step, not at a call."""
    positional = [one for one in parameters if not one.keyword_only]
    if len(args) > len(positional):
        yield f"it takes {len(positional)}"
    missing = [one.name for one in positional[len(args) :] if one.required]
    missing += [one.name for one in parameters if one.keyword_only and one.required]
    if missing:
        yield f"it misses {', '.join(missing)}"
    for one, value in zip(positional, args, strict=False):
        if not _fits(value, one.type):
            yield f"{one.name} is a {name_of(one.type)}, got {value!r}"


def _fits(value: Any, tp: Any) -> bool:
    if tp is Any or (isinstance(tp, type) and isinstance(value, tp)):
        return True
    try:
        msgspec.convert(value, tp, from_attributes=True)
    except (msgspec.ValidationError, TypeError, ValueError):
        return False
    return True


def _shown(args: tuple[Any, ...]) -> str:
    return f"({', '.join(map(repr, args))})" if args else "no input"
