"""The codecs of a component are made once."""

from __future__ import annotations

from actorkalix.codec import codecs_for
from actorkalix.describe import descriptor_of
from tests.unit.actorkalix.codec.samples import SHOP, Shop


def test_made_once() -> None:
    assert codecs_for(descriptor_of(Shop)) is SHOP


def test_one_codec_per_handler() -> None:
    assert SHOP.arguments.keys() == SHOP.replies.keys() == descriptor_of(Shop).handlers.keys()
