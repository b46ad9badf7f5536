"""Bytes with a protocol version."""

from __future__ import annotations

import msgspec
import pytest

from actorkalix_cluster.shardhost.versioned import OtherProtocol, unpacked

DECODER = msgspec.msgpack.Decoder(int)


def test_the_rest_is_read() -> None:
    assert unpacked(b"\x03" + msgspec.msgpack.encode(7), 3, DECODER) == 7


@pytest.mark.parametrize("data, found", [(b"", "nothing"), (b"\x02\x07", "version 2")])
def test_another_version_is_refused(data: bytes, found: str) -> None:
    with pytest.raises(OtherProtocol, match=f"protocol version 3, found {found}"):
        unpacked(data, 3, DECODER)
