"""Transfers: money leaves one wallet and reaches another, or comes back. Whatever dies on the way.

    start --(above the limit)--> approval --yes--> withdraw --> deposit --> ended
                                    |                 |            |
                                    no, or too late   no funds     the wallet is closed
                                    v                 v            v
                                  refused           refused      undo the withdrawal --> refunded

Each step runs at least once, and its calls count once: they carry keys that the next attempt has
too. What cannot be reached is tried again without end; what is refused for good is `final`.
"""

from dataclasses import dataclass, replace
from datetime import timedelta

from actorkalix import (
    CommandError,
    Effect,
    EventSourcedEntity,
    Service,
    StepEffect,
    Workflow,
    WorkflowUpdate,
    command,
    compensate,
    max_retries,
    query,
    step,
)

APPROVAL_ABOVE = 1_000
APPROVAL_WITHIN = timedelta(days=3)


class InsufficientFunds(CommandError):
    """The wallet has less than is wanted."""


class WalletClosed(CommandError):
    """The wallet takes nothing any more."""


# ---- wallets -----------------------------------------------------------------------------------
@dataclass(frozen=True)
class Balance:
    amount: int = 0
    closed: bool = False


@dataclass(frozen=True)
class Moved:
    amount: int
    what: str


@dataclass(frozen=True)
class Closed:
    pass


class Wallet(EventSourcedEntity[Balance, Moved | Closed], id="wallet"):
    def empty_state(self) -> Balance:
        return Balance()

    @command
    def deposit(self, amount: int, what: str = "deposit") -> Effect[int]:
        if amount <= 0:
            return self.effects.error(f"amount must be positive, got {amount}")
        if self.state.closed:
            raise WalletClosed(f"wallet {self.entity_id} is closed", code="failed_precondition")
        return self._moved(amount, what)

    @command
    def withdraw(self, amount: int, what: str = "withdrawal") -> Effect[int]:
        if amount <= 0:
            return self.effects.error(f"amount must be positive, got {amount}")
        if self.state.amount < amount:
            raise InsufficientFunds(
                f"wallet {self.entity_id} has {self.state.amount}", code="failed_precondition"
            )
        return self._moved(-amount, what)

    @command
    def refund(self, amount: int, what: str) -> Effect[int]:
        """Money that comes back is taken by a closed wallet too."""
        return self._moved(amount, what)

    @command
    def close(self) -> Effect[None]:
        return self.effects.persist(Closed()).then_reply(None)

    @query
    def get(self) -> Balance:
        return self.state

    def _moved(self, amount: int, what: str) -> Effect[int]:
        return self.effects.persist(Moved(amount, what)).then_reply(lambda state: state.amount)

    def apply_event(self, state: Balance, event: Moved | Closed) -> Balance:
        match event:
            case Moved(amount, _):
                return replace(state, amount=state.amount + amount)
            case Closed():
                return replace(state, closed=True)


# ---- transfers ---------------------------------------------------------------------------------
@dataclass(frozen=True)
class TransferOrder:
    source: str
    target: str
    amount: int


@dataclass(frozen=True)
class TransferState:
    order: TransferOrder
    status: str  # waits for approval, started, withdrawn, done, refused, refunded


PATIENT = max_retries(None, initial=timedelta(milliseconds=500), cap=timedelta(seconds=10))


class Transfer(Workflow[TransferState], id="transfer", recover=PATIENT):
    @command
    def start(self, order: TransferOrder) -> Effect[str]:
        if self.state is not None:
            if self.state.order == order:  # sent again: it is on its way
                return self.effects.reply(self.state.status)
            return self.effects.error("another transfer has this id", code="already_exists")
        if order.amount <= 0:
            return self.effects.error(f"amount must be positive, got {order.amount}")
        if not (order.source and order.target):
            return self.effects.error("source and target are ids of wallets, one is empty")
        if order.source == order.target:
            return self.effects.error("source and target are the same wallet")
        if order.amount > APPROVAL_ABOVE:
            status = "waits for approval"
            return (
                self.effects.update_state(TransferState(order, status))
                .wait_for(
                    self.promise("approval", bool),
                    then=self.decided,
                    timeout=APPROVAL_WITHIN,
                    on_timeout=self.too_late,
                )
                .then_reply(status)
            )
        return (
            self.effects.update_state(TransferState(order, "started"))
            .transition_to(self.withdraw)
            .then_reply("started")
        )

    @step
    async def decided(self, approved: bool) -> StepEffect:
        if approved:
            return self._now("started").transition_to(self.withdraw)
        return self._now("refused").end("not approved")

    @step
    async def too_late(self) -> StepEffect:
        return self._now("refused").end(f"not approved within {APPROVAL_WITHIN.days} days")

    @step(
        recover=max_retries(
            None,
            initial=timedelta(milliseconds=500),
            cap=timedelta(seconds=10),
            final=(InsufficientFunds,),
        ).failover_to("refused")
    )
    async def withdraw(self) -> StepEffect:
        order: TransferOrder = self.state.order
        source = self.client.entity(Wallet, order.source)
        await source.withdraw(order.amount, f"to {order.target}")
        back = source.refund(order.amount, f"from {order.target}")
        return self._now("withdrawn").with_undo(back).transition_to(self.deposit)

    @step(
        recover=max_retries(
            None,
            initial=timedelta(milliseconds=500),
            cap=timedelta(seconds=10),
            final=(WalletClosed,),
        ),
        on_failure=compensate(then="refunded"),
    )
    async def deposit(self) -> StepEffect:
        order: TransferOrder = self.state.order
        target = self.client.entity(Wallet, order.target)
        await target.deposit(order.amount, f"from {order.source}")
        return self._now("done").end()

    @step
    async def refused(self) -> StepEffect:
        return self._now("refused").end("insufficient funds")

    @step
    async def refunded(self) -> StepEffect:
        return self._now("refunded").end("the target is closed")

    @query
    def get(self) -> TransferState:
        return self.state

    def _now(self, status: str) -> WorkflowUpdate[TransferState]:
        return self.effects.update_state(replace(self.state, status=status))


service = Service("transfers", components=[Wallet, Transfer])
