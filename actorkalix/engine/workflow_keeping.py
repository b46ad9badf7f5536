"""What others say to a workflow: values of promises, ends of children, and who its parent is. Pure.

A parent waits for the ends of its children, and a child tells its end to the parent that started
it. So the command that starts a child has to make it one: a command that leaves the workflow as it
was (it runs already, for somebody else; it has ended; it was not started at all) is refused, and
the parent is told how the start has failed. Else it would wait for an end of which nobody tells it.
"""

from __future__ import annotations

from typing import Any

import msgspec

from actorkalix.codec.hooks import encode_hook
from actorkalix.errors import ChildNotBegun, InvalidPayload, UnknownPromise
from actorkalix.model.metadata import Metadata
from actorkalix_cluster.shardhost.messages import Message

from .replies import refusal
from .workflow_attempt import end_of_child
from .workflow_control import OVER, Flow, public
from .workflow_draft import CHILD, promise_of
from .workflow_messages import PARENT, ChildNotice, Parent
from .workflow_move import Move
from .workflow_rules import Rules


# ---- promises ------------------------------------------------------------------------------------
def resolved(rules: Rules, flow: Flow, name: str, value: Any, now_ms: int) -> Move:
    """A promise that has no value yet gets one; who waits for it goes on.

    Raises:
        BehaviorError: nobody has named the promise, or the step that waits does not take the value.
    """
    if name.startswith(CHILD) or name not in flow.kept.opened:
        open_now = ", ".join(flow.kept.opened) or "none"
        error = f"{rules.component} {flow.entity!r} has no promise {name!r}; open are: {open_now}"
        raise refusal(UnknownPromise(error))
    said = msgspec.json.encode(value, enc_hook=encode_hook)
    if name in flow.control.promises:
        try:
            rules.input_from(flow.control.then, [said], single=True)
        except InvalidPayload as problem:
            raise refusal(problem) from None
    move = Move(rules, flow, now_ms)
    move.put_value(name, said)
    _go_on(move)
    return move


def _go_on(move: Move) -> None:
    move.surface()
    move.look()
    move.sink()


# ---- children ------------------------------------------------------------------------------------
def child_ended(rules: Rules, flow: Flow, payload: bytes, now_ms: int) -> tuple[Move, str] | None:
    """A child says how it has ended: what follows, and which child; None if it is none (any more).

    Args:
        rules: of the parent.
        flow: the parent as it is.
        payload: a `ChildNotice`.
        now_ms: time of the record.
    """
    notice = _NOTICE.decode(payload)
    for child in flow.kept.children:
        if (child.component, child.entity) == (notice.component, notice.entity):
            if child.ended:
                break
            move = Move(rules, flow, now_ms)
            move.end_child(child, end_of_child(notice))
            _go_on(move)
            return move, promise_of(child).removeprefix(CHILD)
    return None


def parent_of(message: Message) -> Parent | None:
    """Who starts a child by this command; None for a command that starts none.

    Raises:
        BehaviorError: it is not said in our words.
    """
    text = Metadata(message.metadata).get(PARENT) if message.metadata else None
    if text is None:
        return None
    try:
        return _PARENT.decode(text)
    except msgspec.MsgspecError as problem:
        raise refusal(InvalidPayload(f"metadata {PARENT}: {problem}")) from problem


def refuse_unless_begun(component: str, before: Flow, after: Flow, message: Message) -> None:
    """Refuse a command that was to start a child and has left no child of that parent.

    Args:
        component: the child's.
        before, after: the child, around the command.
        message: the command.

    Raises:
        BehaviorError: see the head of this file.
    """
    parent = parent_of(message)
    if parent is None:
        return
    over = after.control.status in OVER
    if after.kept.parent == parent and (after.number > before.number or not over):
        return
    status = public(after.control.status).replace("_", " ")
    if not after.number:
        why = f"{message.method} has left it as it was"
    elif over:
        why = f"it is {status}"
    else:
        why = f"it is {status} and was started otherwise"
    child = f"{component} {after.entity!r}"
    raise refusal(
        ChildNotBegun(f"{child} is no child of {parent.component} {parent.entity!r}: {why}")
    )


_NOTICE = msgspec.msgpack.Decoder(ChildNotice)
_PARENT = msgspec.json.Decoder(Parent)
