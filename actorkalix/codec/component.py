"""All codecs of a component in one place."""

from __future__ import annotations

from actorkalix.codec.arguments import ArgumentCodec, ElementCodec
from actorkalix.codec.replies import ReplyCodec
from actorkalix.codec.stored import StoredCodec
from actorkalix.describe.descriptors import ComponentDescriptor


class ComponentCodec:
    """The codecs of a component.

    Attributes:
        arguments: of each handler, by its name.
        replies: of each handler, by its name.
        elements: of each handler that takes a stream, by its name.
        stored: of its events and states.
        steps: of the input of each step, by its stored name.
    """

    def __init__(self, descriptor: ComponentDescriptor) -> None:
        self.descriptor = descriptor
        self.arguments = {
            name: ArgumentCodec(handler) for name, handler in descriptor.handlers.items()
        }
        self.replies = {name: ReplyCodec(handler) for name, handler in descriptor.handlers.items()}
        self.elements = {
            name: ElementCodec(handler.elements)
            for name, handler in descriptor.handlers.items()
            if handler.elements is not None
        }
        self.stored = StoredCodec(descriptor)
        self.steps = {name: ArgumentCodec(step.handler) for name, step in descriptor.steps.items()}


_CODEC = "__actorkalix_codec__"


def codecs_for(descriptor: ComponentDescriptor) -> ComponentCodec:
    """The codecs of a component; made once, kept by its class."""
    made: ComponentCodec | None = vars(descriptor.cls).get(_CODEC)
    if made is None or made.descriptor is not descriptor:
        made = ComponentCodec(descriptor)
        setattr(descriptor.cls, _CODEC, made)
    return made
