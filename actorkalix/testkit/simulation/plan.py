"""Plans: all that is done in a run, drawn from a seed before the run begins.

Theory of operation. A plan is data. It says what each client asks and how long it waits before it
does, what is done to which host when, and how often things go wrong by themselves. It is drawn by
streams of chance that are named after what they are for (a client, a kind of fault), so a plan
with other faults has the same calls. A run that fails is its plan: it is written to a file, played
again, and made smaller by taking parts of it away.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

import msgspec

from actorkalix.describe.descriptors import ServiceDescriptor

from .chance import Chance
from .faults import Fault, Faults, plan_faults
from .workload import Choice, Workload, choices_of, with_programs

HOSTS_MAX = 16
CLIENTS_MAX = 64
OPERATIONS_MAX = 100_000
ENTITIES_MAX = 10_000
SHARDS_MAX = 1_024
RUNS_MAX = 1_000_000

HOT = 0.2
"""Share of calls that go to the first entity, whatever others draw."""
AGAIN = 0.1
"""Share of calls with a key that repeat an earlier one of their client, key and all."""
ELSEWHERE = 0.3
"""Share of these that ask another entity, to which the key says nothing."""
OTHERWISE = 0.2
"""Share of the others that are another request, which is refused if the first was executed."""
RETRIED = 0.7
"""Share of calls with a key that are sent again after an unknown outcome."""
TIMEOUTS_MS = (6_000,) * 9 + (50,)
"""A host gives up after 5 s; now and then a client does so before anything can go wrong."""
PROGRAMS = 0.5
"""Share of calls that are programs, where clients ask other things too."""
BURST = 0.8
"""Share of calls that follow the answer before them almost at once, after a tenth of the mean."""


class Call(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a client asks.

    Attributes:
        client: number of the client, from 0 on.
        number: of the call, in its client; it keeps it when calls before it are taken away.
        wait_us: after the answer to the call before it.
        component, entity: whom; "" where it is a program, which knows by itself.
        kind, method: what; a program's name.
        body: JSON, as a client sends it; b"" is none.
        key: idempotency key, or "".
        timeout_ms: how long the client waits for the answer.
        retry: it is sent again after an unknown outcome; has a key.
    """

    client: int
    number: int
    wait_us: int
    component: str
    entity: str
    kind: Literal["command", "query", "program"]
    method: str
    body: bytes = b""
    key: str = ""
    timeout_ms: int = TIMEOUTS_MS[0]
    retry: bool = False

    def __str__(self) -> str:
        """As `cart e0: add {"n":1}, key c0-4`."""
        if self.kind == "program":
            return f"program {self.method}"
        body = f" {self.body.decode()}" if self.body else ""
        key = f", key {self.key}" if self.key else ""
        return f"{self.component} {self.entity}: {self.method}{body}{key}"


class Plan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that is done in a run.

    Attributes:
        seed: that it was drawn from, and that what goes wrong by itself is drawn from.
        hosts, shards, clients: how many there are.
        calls: by client, in the order in which it asks.
        faults: planned, in the order of their times.
        rates: of what goes wrong by itself.
    """

    seed: int
    hosts: int
    shards: int
    clients: int
    calls: tuple[Call, ...]
    faults: tuple[Fault, ...] = ()
    rates: Faults = msgspec.field(default_factory=Faults.usual)

    @property
    def operations(self) -> int:
        """Number of calls."""
        return len(self.calls)


def draw_plan(
    service: ServiceDescriptor,
    seed: int,
    *,
    hosts: int = 3,
    clients: int = 5,
    operations: int = 200,
    entities: int = 4,
    shards: int = 8,
    keyed: float = 0.3,
    queries: float = 0.3,
    faults: Faults | None = None,
    workload: Workload | None = None,
    programs: Sequence[str] = (),
) -> Plan:
    """Draw a plan. Same arguments, same plan.

    Args:
        service: whose event sourced and value entities are asked.
        seed: that all of it follows from.
        hosts: 1 to 16.
        clients: that ask at the same time, 1 to 64.
        operations: of all clients together.
        entities: of each component, unless the workload names them; a fifth of the calls goes to
            the first.
        shards: 1 to 1,024.
        keyed: share of the commands that carry an idempotency key.
        queries: share of the calls that are queries, where there are both.
        faults: what may go wrong, and how often; the usual when not given.
        workload: what is asked; everything when not given. Its weights know programs too.
        programs: names of what clients do on their own; without a workload they do nothing else.

    Raises:
        WorkloadUnfit: the workload does not fit the service, or there is nothing to ask.
        ValueError: a number is out of its range.
    """
    check_range("hosts", hosts, 1, HOSTS_MAX)
    check_range("clients", clients, 1, CLIENTS_MAX)
    check_range("operations", operations, 1, OPERATIONS_MAX)
    check_range("entities", entities, 1, ENTITIES_MAX)
    check_range("shards", shards, 1, SHARDS_MAX)
    check_range("keyed", keyed, 0, 1)
    check_range("queries", queries, 0, 1)
    rates = faults if faults is not None else Faults.usual()
    script = _Script(service, workload, programs, entities, keyed, queries)
    chance = Chance(seed).fork("plan")
    calls: list[Call] = []
    length_us = 0
    for client in range(clients):
        count = operations // clients + (client < operations % clients)
        asked = list(script.calls(client, count, chance.fork("client", client)))
        lasts_us = sum(call.wait_us for call in asked) + count * _call_us(rates)
        length_us = max(length_us, lasts_us)
        calls += asked
    planned = plan_faults(chance.fork("faults"), rates, hosts=hosts, length_us=length_us)
    if all(component.view is None for component in service.components.values()):
        planned = tuple(fault for fault in planned if fault.kind != "mistake")
    return Plan(
        seed=seed,
        hosts=hosts,
        shards=shards,
        clients=clients,
        calls=tuple(calls),
        faults=planned,
        rates=rates,
    )


class _Script:
    """Draws what clients ask."""

    def __init__(
        self,
        service: ServiceDescriptor,
        given: Workload | None,
        programs: Sequence[str],
        entities: int,
        keyed: float,
        queries: float,
    ) -> None:
        workload, self._programs = with_programs(given or Workload(), programs)
        alone = bool(self._programs) and given is None
        choices = () if alone else choices_of(service, workload)
        self._program_share = 1.0 if alone else PROGRAMS if self._programs else 0.0
        self._commands = _weighted([each for each in choices if each.kind == "command"])
        self._queries = _weighted([each for each in choices if each.kind == "query"])
        self._entities = workload.entities or tuple(f"e{number}" for number in range(entities))
        self._keyed = keyed
        self._query_share = queries if self._commands and self._queries else 0.0
        self._wait_us = workload.wait_ms * 1000

    def calls(self, client: int, count: int, chance: Chance) -> Iterator[Call]:
        """What one client asks."""
        keyed: list[Call] = []
        for number in range(count):
            wait_us = self._wait(chance)
            if self._programs and chance.happens(self._program_share):
                yield program_call(client, number, wait_us, chance.weighted(self._programs))
                continue
            if keyed and chance.happens(self._keyed * AGAIN):
                again = self._again(chance.choice(keyed), chance)
                yield msgspec.structs.replace(again, number=number, wait_us=wait_us)
                continue
            is_query = not self._commands or chance.happens(self._query_share)
            choice = _pick(chance, self._queries if is_query else self._commands)
            key = ""
            if not is_query and chance.happens(self._keyed):
                key = f"c{client}-{number}"
            call = Call(
                client=client,
                number=number,
                wait_us=wait_us,
                component=choice.component,
                entity=self._entity(chance),
                kind=choice.kind,
                method=choice.method,
                body=choice.bodies.draw(chance),
                key=key,
                timeout_ms=chance.choice(TIMEOUTS_MS),
                retry=bool(key) and chance.happens(RETRIED),
            )
            if key:
                keyed.append(call)
            yield call

    def _again(self, earlier: Call, chance: Chance) -> Call:
        """A call under an earlier one's key."""
        if chance.happens(ELSEWHERE):
            return msgspec.structs.replace(earlier, entity=self._entity(chance))
        if not chance.happens(OTHERWISE):
            return earlier
        choice = _pick(chance, self._commands)
        return msgspec.structs.replace(
            earlier,
            component=choice.component,
            method=choice.method,
            body=choice.bodies.draw(chance),
        )

    def _entity(self, chance: Chance) -> str:
        return self._entities[0] if chance.happens(HOT) else chance.choice(self._entities)

    def _wait(self, chance: Chance) -> int:
        """Bursts with breaks between them, of the given mean together."""
        short_us = self._wait_us / 10
        if chance.happens(BURST):
            return chance.exponential_us(short_us)
        return chance.exponential_us((self._wait_us - BURST * short_us) / (1 - BURST))


def program_call(client: int, number: int, wait_us: int, name: str) -> Call:
    """A client runs a program."""
    return Call(
        client=client,
        number=number,
        wait_us=wait_us,
        component="",
        entity="",
        kind="program",
        method=name,
    )


_Weighted = tuple[tuple[Choice, ...], tuple[tuple[Choice, float], ...]]


def _weighted(choices: Sequence[Choice]) -> _Weighted | None:
    """Choices, and their weights where these differ."""
    if not choices:
        return None
    differ = len({choice.weight for choice in choices}) > 1
    return tuple(choices), tuple((each, each.weight) for each in choices) if differ else ()


def _pick(chance: Chance, among: _Weighted | None) -> Choice:
    assert among is not None, "a kind of which there is none is never chosen"
    choices, weights = among
    return chance.weighted(weights) if weights else chance.choice(choices)


def _call_us(rates: Faults) -> int:
    """About how long a call takes when nothing is in its way."""
    client_us = rates.client_min_us + rates.client_mean_us
    network_us = rates.network_min_us + rates.network_mean_us
    return 2 * client_us + 2 * network_us + rates.commit_min_us + rates.commit_mean_us


def check_range(name: str, value: float, low: int, high: int) -> None:
    """Refuse a number that is out of its range.

    Raises:
        ValueError: it is; the message names it.
    """
    if not low <= value <= high:
        raise ValueError(f"{name} is {value}; it is from {low} to {high:,}")
