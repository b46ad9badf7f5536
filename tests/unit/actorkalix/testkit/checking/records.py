"""Stored records in few words, and what rules say of them."""

from __future__ import annotations

from typing import Any

import msgspec

from actorkalix.testkit.checking import Evidence, Finding, Stored
from actorkalix.testkit.checking.rules import Judge
from actorkalix_storage.api import RecordKind


def stored(version: int, **more: Any) -> Stored:
    """Record `version` of "x" at offset `version`: an event, from the operation of that number."""
    record = Stored(
        component="c",
        entity="x",
        kind=RecordKind.EVENT,
        shard=1,
        lineage=9,
        epoch=1,
        offset=version,
        version=version,
        number=version,
        operation=version,
    )
    return msgspec.structs.replace(record, **more)


def said(rule: Judge, evidence: Evidence) -> list[str]:
    """What a rule found, in words."""
    findings: list[Finding] = []
    rule(evidence, findings)
    return [finding.text for finding in findings]
