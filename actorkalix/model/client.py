"""Clients build calls and send them."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar, cast
from urllib.parse import urlsplit

from actorkalix.errors import NotInThisVersion
from actorkalix.model.calls import Call, Sender, Stream
from actorkalix.model.handlers import StreamMethod, handler_of, handlers_of
from actorkalix.model.names import check_entity_id
from actorkalix.model.transport import Request, Transport

if TYPE_CHECKING:
    from typing import Self

    from actorkalix.model.actions import Action
    from actorkalix.model.entities import Entity
    from actorkalix.model.views import View
    from actorkalix.model.workflows import Workflow

T = TypeVar("T")
Ref: TypeAlias = type[T]
"""What `client.entity(ShoppingCart, id)` gives: `def pay(cart: Ref[ShoppingCart])`."""
TE = TypeVar("TE", bound="Entity")
TW = TypeVar("TW", bound="Workflow[Any]")
TV = TypeVar("TV", bound="View")
TA = TypeVar("TA", bound="Action")

TRANSPORTS: dict[str, str] = {
    "http": "actorkalix.gateway.client:HttpTransport",
    "https": "actorkalix.gateway.client:HttpTransport",
}
"""Who carries calls, by the URL's scheme: `module:class`, imported and made at the first call."""


CONNECTION = "actorkalix.runtime.connection:Connection"
"""What a client sends with; it knows event loops and threads, of which this floor knows nothing."""


class Connection(Sender, Protocol):
    """A client's way to its service."""

    def start_thread(self) -> None: ...

    def close(self) -> None: ...

    async def aclose(self) -> None: ...


class Proxy:
    """What a reference is at run time: it has the handlers of its class and nothing else."""

    __slots__ = ("_after", "_component", "_entity_id", "_sender")

    def __init__(
        self,
        component: type[Any],
        entity_id: str | None,
        sender: Sender | None,
        after: str | None = None,
    ) -> None:
        self._component = component
        self._entity_id = entity_id
        self._sender = sender
        self._after = after

    def __getattr__(self, name: str) -> Callable[..., Call[Any] | Stream[Any]]:
        method = handler_of(self._component, name)
        if method is None:
            raise AttributeError(_no_handler(self._component, name), name=name, obj=self)
        kind: type[Call[Any] | Stream[Any]] = Stream if isinstance(method, StreamMethod) else Call

        def build(*args: Any, **kwargs: Any) -> Call[Any] | Stream[Any]:
            caller = sys._getframe(1)
            request = Request(
                self._component, self._entity_id, name, args, kwargs, after=self._after
            )
            return kind(request, self._sender, (caller.f_code.co_filename, caller.f_lineno))

        return build

    def __call__(self, *args: object, **kwargs: object) -> Any:
        raise TypeError(f"{self!r} is a reference, not a class: call one of its handlers")

    def __dir__(self) -> list[str]:
        return list(handlers_of(self._component))

    def __repr__(self) -> str:
        entity = "" if self._entity_id is None else f" {self._entity_id!r}"
        return f"<reference to {self._component.__name__}{entity}>"


def _no_handler(component: type[Any], name: str) -> str:
    handlers = list(handlers_of(component))
    near = difflib.get_close_matches(name, handlers, 1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    has = ", ".join(handlers) or "none"
    there = " (it has it, but not as a handler)" if hasattr(component, name) else ""
    return f"{component.__name__} has no handler {name!r}{there}{hint} Its handlers: {has}"


def _asked_by(component: object) -> str | None:
    return getattr(component, "_asked_by", None) if isinstance(component, type) else None


class Calls:
    """Builds calls. What it returns has the class's handlers; checkers see the class itself."""

    _sender: Sender | None = None

    def entity(self, component: type[TE], entity_id: str, /) -> Ref[TE]:
        """An entity by its id; it need not exist yet (ES-03).

        Args:
            component: the entity's class.
            entity_id: 1 to 256 bytes of UTF-8 without control characters.

        Raises:
            InvalidEntityId: the id is something else.
        """
        return self._proxy("entity", component, check_entity_id(entity_id))

    def workflow(self, component: type[TW], workflow_id: str, /) -> Ref[TW]:
        """A workflow by its id; see `entity`."""
        return self._proxy("workflow", component, check_entity_id(workflow_id))

    def view(self, component: type[TV], /, *, after: str | None = None) -> Ref[TV]:
        """A view.

        Args:
            component: the view's class.
            after: token of a reply (`Reply.token`): queries wait until the view is up to it.
        """
        return self._proxy("view", component, None, after)

    def action(self, component: type[TA], /) -> Ref[TA]:
        """An action."""
        return self._proxy("action", component, None)

    def _proxy(
        self, kind: str, component: type[T], entity_id: str | None, after: str | None = None
    ) -> type[T]:
        asked_by = _asked_by(component)
        if asked_by is None:
            raise TypeError(f"client.{kind}(...) takes a component class, got {component!r}")
        if not asked_by.startswith(f"client.{kind}("):
            raise TypeError(f"write {asked_by.format(component.__name__)}, not client.{kind}(...)")
        return cast("type[T]", Proxy(component, entity_id, self._sender, after))


class Client(Calls):
    """Calls a running service: `async with Client("http://localhost:9000") as client:`.

    In scripts `with Client(...) as client:` and `.result()` on each call.

    Args:
        url: where the service listens.
        token: bearer token that goes with every call.

    Raises:
        ValueError: the URL has another scheme than http or https.
        NotInThisVersion: it is grpc.
    """

    _connection: Connection

    def __init__(self, url: str, /, *, token: str | None = None) -> None:
        scheme = urlsplit(url).scheme
        if scheme == "grpc":
            raise NotInThisVersion(f"Client({url!r}): gRPC comes with a later version; use http://")
        if scheme not in TRANSPORTS:
            raise ValueError(
                f"Client({url!r}): a URL begins with {' or '.join(f'{s}://' for s in TRANSPORTS)}"
            )
        self._connect(lambda: _named(TRANSPORTS[scheme])(url, token=token))

    @classmethod
    def _over(cls, transport: Transport, /, **options: Any) -> Self:
        """A client that sends over this transport: of test kits, and inside a host.

        Args:
            transport: carries the calls; the client closes it when it is left.
            options: of the connection (`sleep`, `jitter`).
        """
        client = cls.__new__(cls)
        client._connect(lambda: transport, **options)
        return client

    def _connect(self, transport: Callable[[], Transport], **options: Any) -> None:
        self._sender = self._connection = _named(CONNECTION)(transport, **options)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._connection.aclose()

    def __enter__(self) -> Self:
        self._connection.start_thread()
        return self

    def __exit__(self, *exc: object) -> None:
        self._connection.close()


def _named(name: str) -> Any:
    module, _, thing = name.partition(":")
    return getattr(import_module(module), thing)
