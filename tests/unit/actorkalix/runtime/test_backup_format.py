"""`backup.json`: what was written is read again, everything else is refused by name."""

from __future__ import annotations

import json
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path
from typing import Any

import msgspec
import pytest

from actorkalix.errors import BackupDamaged, UnsupportedFormat
from actorkalix.runtime.backup_format import (
    FORMAT,
    Manifest,
    ShardMark,
    StoreFile,
    identity_of,
    read_manifest,
    write_manifest,
)
from actorkalix_storage.api import HomeTable, StoreIdentity

MARK = ShardMark("00000000000000ff", 2, 7)
STORE = StoreFile(0, "store-0/data.mdb", 8192, "ab" * 32, 1_700_000_000_000, {3: MARK}, {1: "torn"})
MANIFEST = Manifest(
    actorkalix="0.2.0",
    taken="2026-01-02T03:04:05.678+00:00",
    service="shop",
    cluster="cd" * 16,
    lineage="00000000000000ff",
    shards=4,
    homes=HomeTable(3, ((0,),) * 4),
    stores=(STORE,),
)


def signed(document: dict[str, Any]) -> bytes:
    """A document with its right checksum."""
    text = json.dumps(document | {"checksum": ""}, indent=2).encode()
    digest = blake2b(text, digest_size=32).hexdigest()
    return text.replace(b'"checksum": ""', f'"checksum": "{digest}"'.encode())


def test_what_is_written_is_read(tmp_path: Path) -> None:
    write_manifest(tmp_path, MANIFEST)
    assert [file.name for file in tmp_path.iterdir()] == ["backup.json"]
    found = read_manifest(tmp_path)
    assert msgspec.structs.replace(found, checksum="") == MANIFEST
    assert identity_of(found, 0) == StoreIdentity("cd" * 16, "shop", 0, 4, 0xFF)
    assert json.loads((tmp_path / "backup.json").read_text())["format"] == FORMAT


def test_other_programs_may_add_to_it_if_they_sign_it(tmp_path: Path) -> None:
    document = json.loads(msgspec.json.encode(MANIFEST)) | {"more": 1}
    (tmp_path / "backup.json").write_bytes(signed(document))
    assert read_manifest(tmp_path).stores == (STORE,)


def test_a_changed_byte_anywhere_is_found(tmp_path: Path) -> None:
    write_manifest(tmp_path, MANIFEST)
    file = tmp_path / "backup.json"
    text = file.read_bytes()
    for at in range(0, len(text), 3):
        file.write_bytes(text[:at] + bytes([text[at] ^ 1]) + text[at + 1 :])
        with pytest.raises((BackupDamaged, UnsupportedFormat), match=str(file)):
            read_manifest(tmp_path)
    for end in range(0, len(text) - 1, 7):
        file.write_bytes(text[:end])
        with pytest.raises(BackupDamaged, match=str(file)):
            read_manifest(tmp_path)


@pytest.mark.parametrize("name", ["", "nowhere", "file"])
def test_what_is_no_backup(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BackupDamaged, match=r"has no backup\.json: .* not finished"):
        read_manifest(tmp_path / name)


def test_a_manifest_that_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / "backup.json").mkdir()
    with pytest.raises(BackupDamaged, match="cannot be read: Is a directory"):
        read_manifest(tmp_path)


@pytest.mark.parametrize("text", [b"", b"[]", b"{}", b'{"format": "1"}', b"\xff", b"null"])
def test_a_manifest_of_somebody_else(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "backup.json").write_bytes(text)
    with pytest.raises(BackupDamaged, match="not what actorkalix has written"):
        read_manifest(tmp_path)


def test_a_newer_format_is_named_before_anything_else_is_read(tmp_path: Path) -> None:
    (tmp_path / "backup.json").write_text('{"format": 2, "stores": "elsewhere"}')
    with pytest.raises(
        UnsupportedFormat, match=r"backup\.json is of format 2, this version reads 1"
    ):
        read_manifest(tmp_path)


WRONG: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "elsewhere": (lambda d: d["stores"][0].update(file="../../etc/passwd"), "is in '../../etc"),
    "home missing": (lambda d: d["homes"]["homes"][1].append(5), "home in store 5, not in here"),
    "homes": (lambda d: d.update(shards=5), "homes of 4 shards, not 5"),
    "twice": (lambda d: d["stores"].append(d["stores"][0]), "or one twice"),
    "none": (lambda d: d.update(stores=[], homes=None), "no store"),
    "lineage": (lambda d: d.update(lineage="xyz"), "not what actorkalix has written"),
}


@pytest.mark.parametrize("name", WRONG)
def test_documents_with_a_good_checksum_that_say_nonsense(tmp_path: Path, name: str) -> None:
    change, words = WRONG[name]
    document = json.loads(msgspec.json.encode(MANIFEST))
    change(document)
    (tmp_path / "backup.json").write_bytes(signed(document))
    with pytest.raises(BackupDamaged, match=words):
        read_manifest(tmp_path)
