"""What a workflow's class says about its steps, as the engine asks it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import msgspec

from actorkalix.codec import ElementCodec, codecs_for
from actorkalix.codec.hooks import encode_hook
from actorkalix.describe.descriptors import ComponentDescriptor, RecoveryDescriptor, StepDescriptor
from actorkalix.limits import STEP_TIMEOUT
from actorkalix.model.steps import Recovery
from actorkalix_cluster.shardhost.messages import Encoding

from .replies import digest
from .workflow_messages import StepFailed
from .workflow_outcome import input_of

_MS = timedelta(milliseconds=1)
CALL_TIMEOUT_MS = STEP_TIMEOUT // _MS
"""Of an undo call, and of one that starts a child."""

_UNKNOWN = RecoveryDescriptor()
"""Of a step that the code has lost: its attempts go on until it is back (WF-53)."""


class Rules:
    """Steps, timeouts and recoveries of one workflow.

    Args:
        descriptor: of the workflow.

    Attributes:
        component: its id.
        timeout_ms: of the whole workflow, 0 for none.
        late_step, late_input: what follows that timeout, "" for nothing.
        expire_ms: from its end until it is deleted, 0 for never.
        snapshot_every: records between snapshots.
    """

    def __init__(self, descriptor: ComponentDescriptor) -> None:
        self.component = descriptor.component_id
        self.snapshot_every = descriptor.snapshot_every
        timeout, late = descriptor.options.get("timeout"), descriptor.options.get("on_timeout")
        self.timeout_ms = 0 if timeout is None else max(1, timeout // _MS)
        expire = descriptor.options.get("expire_after")
        self.expire_ms = 0 if expire is None else max(1, expire // _MS)
        self.late_step, args = _target(late)
        self.late_input = input_of(descriptor, self.late_step, args) if self.late_step else b""
        self._descriptor = descriptor
        self._steps = descriptor.steps
        self._codecs = codecs_for(descriptor).steps
        self._values = {
            name: ElementCodec(step.handler.parameters[0])
            for name, step in descriptor.steps.items()
            if step.handler.parameters
        }
        self._stored = codecs_for(descriptor).stored
        self._json = msgspec.json.Encoder(enc_hook=encode_hook)

    def step(self, name: str) -> StepDescriptor | None:
        """The step of this name, None where the code has lost it."""
        return self._steps.get(name)

    def timeout_of(self, step: str) -> int:
        """How long an attempt of a step may take, in ms."""
        known = self._steps.get(step)
        return CALL_TIMEOUT_MS if known is None else known.timeout_ms

    def reach_of(self, step: str) -> int:
        """How long from now calls of an attempt that is cut off may take effect, in ms.

        A plain function may wait as long for a worker as it may run then, and one that waits in a
        batch of Ray's is not reached by whoever cuts it off.
        """
        known = self._steps.get(step)
        return self.timeout_of(step) * (1 if known is None or known.is_async else 2)

    def recovery_of(self, step: str) -> RecoveryDescriptor:
        """What becomes of a step that fails."""
        known = self._steps.get(step)
        return _UNKNOWN if known is None else known.recovery

    def failover_input(self, recovery: RecoveryDescriptor) -> bytes:
        """The input of the step that a recovery goes on with."""
        return input_of(self._descriptor, recovery.step, recovery.args)

    def input_from(self, step: str, values: Sequence[bytes], *, single: bool) -> bytes:
        """The input of a step that gets what others have said; b"" where it takes none.

        Args:
            step: its name.
            values: in JSON.
            single: it gets the only one, not a list.

        Raises:
            InvalidPayload: it does not take this.
        """
        codec = self._values.get(step)
        if codec is None:
            return b""
        payload = values[0] if single else b"[" + b",".join(values) + b"]"
        value = codec.decode(payload or b"null", Encoding.JSON)
        return self._codecs[step].encode((value,), {}, Encoding.MSGPACK)

    def check_input(self, step: str, arguments: bytes) -> None:
        """Look whether a step takes an input.

        Raises:
            InvalidPayload: it does not.
        """
        self._codecs[step].decode(arguments, Encoding.MSGPACK)

    def state_json(self, stored: bytes | None) -> bytes:
        """A stored state in JSON; b"" for none, and for one that has no form in JSON."""
        if stored is None:
            return b""
        try:
            return self._json.encode(self._stored.decode_state(stored))
        except (TypeError, ValueError):
            return b""


def is_final(recovery: RecoveryDescriptor, failed: StepFailed) -> bool:
    """No further attempt can mend this failure."""
    final = {each.__name__ for each in recovery.final}
    return bool(final.intersection((*failed.classes, failed.failure.type)))


def backoff_ms(recovery: RecoveryDescriptor, failures: int, *identity: object) -> int:
    """Wait after a failed attempt, in ms.

    Chance is a hash: so the same workflow waits the same on every host, and many do not come back
    together.

    Args:
        recovery: says how the waits grow.
        failures: attempts that have failed, 1 and up.
        identity: of the activity.
    """
    grown = recovery.initial_ms * recovery.factor ** min(failures - 1, 1_000)
    wait = min(grown, float(recovery.cap_ms))
    hashed = digest(*(str(part).encode() for part in (*identity, failures)))
    chance = int.from_bytes(hashed[:4], "big") / 2**32
    return max(1, round(wait * (1 - recovery.jitter * chance)))


def _target(late: str | Recovery | None) -> tuple[str, tuple[object, ...]]:
    if late is None:
        return "", ()
    if isinstance(late, str):
        return late, ()
    return late.step or "", late.args
