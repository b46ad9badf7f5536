"""Consumers and dead letters of a whole service, for operators: each host answers for its own.

As in `fanout`, a store that cannot be asked is an error that names it: a consumer's lag without one
of its stores would look better than it is. Trying again, replaying and dropping are for a running
service alone; hosts offer them by `acting_methods`.
"""

from __future__ import annotations

import asyncio
import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from actorkalix.consumer_views import (
    ConsumerView,
    DeadLetterPage,
    DeadLetterView,
    Dropped,
    Replayed,
    Retried,
    RetryOrder,
)
from actorkalix.describe.descriptors import ServiceDescriptor, Subscription, described
from actorkalix.describe.topics import topics_of
from actorkalix.errors import InvalidPayload, UnknownRoute
from actorkalix.model.sources import Source
from actorkalix.ports import HostCalls, HostMethod
from actorkalix.runtime.consumer_listing import (
    SUBJECTS_MAX,
    ConsumersAsked,
    consumers_at_rest,
    consumers_of,
    merged_view,
)
from actorkalix.runtime.dead_letter_listing import (
    HostLetters,
    LettersAsked,
    checked_letter_id,
    letter_shown,
    letters_of,
)
from actorkalix.runtime.host_methods import answer_of, host_method
from actorkalix.runtime.inspection import StoreInspection, off_loop
from actorkalix.runtime.outside import consumer_of
from actorkalix.runtime.paging import page_of_all
from actorkalix_cluster.placement.sharding import shard_of
from actorkalix_cluster.shardhost.dead_letters import DEAD_LETTERS
from actorkalix_cluster.shardhost.host import ShardHost
from actorkalix_cluster.shardhost.outbox import OUTBOX
from actorkalix_storage.api import HomeTable

LOOK, RETRY = "consumers.look", "consumers.retry"
LIST, SHOW = "dead_letters.list", "dead_letters.show"
REPLAY, DROP = "dead_letters.replay", "dead_letters.drop"


# ---- the host's side --------------------------------------------------------------------------
def reading_methods(inspection: StoreInspection) -> Mapping[str, HostMethod]:
    """What any store offers to `ClusterConsuming`, by name.

    Args:
        inspection: of the store.
    """
    store, shards = inspection.store, inspection.store.identity.shards

    async def look(asked: ConsumersAsked) -> list[ConsumerView]:
        return await off_loop(lambda: consumers_at_rest(store, inspection.is_home(), asked))

    async def letters(asked: LettersAsked) -> DeadLetterPage:
        return await off_loop(lambda: letters_of(store, inspection.is_home(), asked))

    async def letter(name: str) -> bytes:
        shard = shard_of(DEAD_LETTERS, name, shards)
        return msgspec.json.encode(await off_loop(lambda: letter_shown(store, shard, name)))

    return {
        LOOK: host_method(ConsumersAsked, look),
        LIST: host_method(LettersAsked, letters),
        SHOW: host_method(str, letter),
    }


def acting_methods(
    host: ShardHost, others: Callable[[], Sequence[ConsumerView]] = tuple
) -> Mapping[str, HostMethod]:
    """What a running host offers beside and instead of `reading_methods`.

    Args:
        host: connected.
        others: what is known of those who read here and are no consumers of the host.
    """
    letters = HostLetters(host)

    async def look(asked: ConsumersAsked) -> list[ConsumerView]:
        ours = consumers_of(host.consumers, asked) if host.consumers is not None else []
        return [*others(), *ours]

    async def retry(order: RetryOrder) -> int:
        if host.consumers is None:
            return 0
        return host.consumers.retry(order.consumer, order.entity)

    return {
        LOOK: host_method(ConsumersAsked, look),
        RETRY: host_method(RetryOrder, retry),
        REPLAY: host_method(str, letters.replay),
        DROP: host_method(str, letters.drop),
    }


# ---- the asking side --------------------------------------------------------------------------
class ClusterConsuming:
    """`consumer_views.Consuming` over all stores of a service.

    Args:
        calls: ways to the stores.
        homes: the home table as it is now.
        service: the service's code, or None to show what is stored without it.
        wait_s: until a store must have answered; None waits without end.
    """

    def __init__(
        self,
        calls: HostCalls,
        homes: Callable[[], HomeTable],
        service: ServiceDescriptor | None,
        wait_s: float | None,
    ) -> None:
        self._calls = calls
        self._homes = homes
        self._service = service
        self._wait_s = wait_s

    async def consumers(self, consumer: str = "", *, limit: int = 100) -> list[ConsumerView]:
        """All consumers by id; or one, with the subjects that are parked.

        Args:
            consumer: its id, or "".
            limit: subjects at most, 1 to `SUBJECTS_MAX`.

        Raises:
            UnknownRoute: there is no such consumer; the message says what is near.
            InvalidPayload: `limit` is out of range.
            OwnerAway: a store is away.
        """
        if not 1 <= limit <= SUBJECTS_MAX:
            raise InvalidPayload(f"limit: {limit} is not in 1 to {SUBJECTS_MAX}")
        asked = ConsumersAsked(consumer, limit)
        parts = await asyncio.gather(
            *(
                answer_of(self._calls, store, LOOK, asked, list[ConsumerView], self._wait_s)
                for store in self._homes().stores()
            )
        )
        found: dict[str, list[ConsumerView]] = {
            name: [view] for name, view in self._in_code().items()
        }
        for view in (view for part in parts for view in part):
            found.setdefault(view.consumer, []).append(view)
        if consumer and consumer not in found:
            raise unknown_consumer(consumer, found)
        return [
            merged_view(parts, limit)
            for name, parts in sorted(found.items())
            if consumer in ("", name)
        ]

    async def retry(self, consumer: str, entity: str = "") -> Retried:
        """Have parked subjects tried now, and a wait as a whole ended.

        Args:
            consumer: its id.
            entity: this entity alone; "" is all.

        Raises:
            UnknownRoute: there is no such consumer.
            OwnerAway: a store is away; those of the others are tried.
        """
        if consumer not in self._in_code() and not self._publishes(consumer):
            raise unknown_consumer(consumer, self._in_code())
        order, count = RetryOrder(consumer, entity), 0
        for store in self._homes().stores():
            count += await answer_of(self._calls, store, RETRY, order, int, self._wait_s)
        return Retried(consumer, entity, count)

    async def dead_letters(
        self, consumer: str = "", *, page: str = "", limit: int = 100
    ) -> DeadLetterPage:
        """Dead letters, store after store; of one consumer, or of all.

        Raises:
            UnknownRoute: there is no such consumer and none of its letters.
            InvalidPayload: `limit` is out of range, or the page is none.
            OwnerAway: a store that may have some is away.
        """

        async def ask(store: int, page: str, limit: int) -> tuple[list[DeadLetterView], str]:
            asked = LettersAsked(consumer, page, limit)
            part = await answer_of(self._calls, store, LIST, asked, DeadLetterPage, self._wait_s)
            return part.letters, part.next_page

        stores = self._homes().stores()
        found = DeadLetterPage(*await page_of_all(ask, DEAD_LETTERS, stores, page, limit))
        if consumer and not page and not found.letters:
            await self.consumers(consumer)  # raises where there is none
        return found

    async def dead_letter(self, letter: str) -> DeadLetterView:
        """A letter with its payload.

        Raises:
            InvalidPayload, UnknownRoute: there is no such letter.
            OwnerAway: the home of its shard is away.
        """
        home = self._home(letter)
        found = await answer_of(self._calls, home, SHOW, letter, bytes, self._wait_s)
        return msgspec.json.decode(found, type=DeadLetterView)

    async def replay(self, letter: str) -> Replayed:
        """Have a letter handled again, however long its handler takes; see `HostLetters`."""
        home = self._home(letter)
        return await answer_of(self._calls, home, REPLAY, letter, Replayed, None)

    async def drop(self, letter: str) -> Dropped:
        """Forget a letter; see `HostLetters`."""
        home = self._home(letter)
        return await answer_of(self._calls, home, DROP, letter, Dropped, self._wait_s)

    def _home(self, letter: str) -> int:
        homes = self._homes().homes
        return homes[shard_of(DEAD_LETTERS, checked_letter_id(letter), len(homes))][0]

    def _publishes(self, consumer: str) -> bool:
        """Whether it publishes to a topic outside, as far as the code tells."""
        names = () if self._service is None else topics_of(self._service)
        return consumer in {consumer_of(name) for name in names}

    def _in_code(self) -> dict[str, ConsumerView]:
        """The consumers of the service's code, without what they did; none without the code."""
        if self._service is None:
            return {}
        found = {OUTBOX: ConsumerView(OUTBOX, source="side effects of entities")}
        for component in self._service.components.values():
            for one in component.subscriptions:
                found[one.consumer] = ConsumerView(
                    one.consumer, component.component_id, _source(one)
                )
        return found


def _source(subscription: Subscription) -> str:
    source = subscription.source
    if isinstance(source, Source):
        return f"{source.kind} {source.label}"
    component = described(source)
    return component.component_id if component is not None else ""


def unknown_consumer(consumer: str, names: Iterable[str]) -> UnknownRoute:
    """What is said where there is no such consumer.

    Args:
        consumer: as it was asked for.
        names: those that there are.
    """
    names = sorted(names)
    near = difflib.get_close_matches(consumer, names, n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    return UnknownRoute(
        f"there is no consumer {consumer!r}; {hint}there is {', '.join(names) or 'none'}"
    )
