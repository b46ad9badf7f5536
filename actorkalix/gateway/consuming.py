"""What operators see of consumers and dead letters through the admin port, and do about them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from starlette.requests import Request
from starlette.responses import Response

from actorkalix import errors
from actorkalix.consumer_views import Consuming, LetterOrder, RetryOrder
from actorkalix.gateway.operations import (
    LIMIT_DEFAULT,
    LIMIT_MAX,
    body_of,
    json_response,
    number_of,
)

Answer = Callable[[Request], Awaitable[Response]]


class ConsumingAnswers:
    """Answers of the paths of consumers and dead letters.

    Args:
        consuming: of the service.

    Attributes:
        get, post: answers by path.
    """

    def __init__(self, consuming: Consuming) -> None:
        self._consuming = consuming
        self.get: Mapping[str, Answer] = {
            "/admin/consumers": self.consumers,
            "/admin/dead-letters": self.dead_letters,
            "/admin/dead-letters/show": self.dead_letter,
        }
        self.post: Mapping[str, Answer] = {
            "/admin/consumers/retry": self.retry,
            "/admin/dead-letters/replay": self.replay,
            "/admin/dead-letters/drop": self.drop,
        }

    async def consumers(self, request: Request) -> Response:
        """All consumers; with `consumer` that one, with its parked subjects."""
        consumer = request.query_params.get("consumer", "")
        limit = number_of(request, "limit", LIMIT_DEFAULT, 1, LIMIT_MAX)
        return json_response(await self._consuming.consumers(consumer, limit=limit))

    async def retry(self, request: Request) -> Response:
        """How many parked subjects are tried now."""
        order = await body_of(request, RetryOrder)
        return json_response(await self._consuming.retry(order.consumer, order.entity))

    async def dead_letters(self, request: Request) -> Response:
        """A page of dead letters, of one consumer or of all."""
        consumer = request.query_params.get("consumer", "")
        page = request.query_params.get("page", "")
        limit = number_of(request, "limit", LIMIT_DEFAULT, 1, LIMIT_MAX)
        return json_response(await self._consuming.dead_letters(consumer, page=page, limit=limit))

    async def dead_letter(self, request: Request) -> Response:
        """The dead letter `id`, with its payload."""
        letter = request.query_params.get("id")
        if letter is None:
            raise errors.InvalidPayload("id is missing: that of the dead letter")
        return json_response(await self._consuming.dead_letter(letter))

    async def replay(self, request: Request) -> Response:
        """Whether a dead letter was handled, when it was."""
        order = await body_of(request, LetterOrder)
        return json_response(await self._consuming.replay(order.id))

    async def drop(self, request: Request) -> Response:
        """Whether there was such a dead letter; now there is none."""
        order = await body_of(request, LetterOrder)
        return json_response(await self._consuming.drop(order.id))
