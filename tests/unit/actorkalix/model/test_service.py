"""A service names components, has a descriptor, and refuses what this version does not run."""

from __future__ import annotations

from typing import Any

import pytest

from actorkalix import (
    DefinitionError,
    Limits,
    NotInThisVersion,
    ReplicatedEntity,
    Service,
    allow_all,
    crdt,
    query,
)

from .shop import Note, Shop


def test_a_service_has_components_limits_and_a_descriptor() -> None:
    limits = Limits(entities_max=3)
    service = Service("shop", components=[Shop, Note], acl=allow_all, limits=limits)
    assert (service.name, service.components) == ("shop", (Shop, Note))
    assert (service.acl, service.limits) == (allow_all, limits)
    assert set(service.descriptor.components) == {"shop", "note"}
    assert repr(service) == "Service('shop', components=[Shop, Note])"
    assert repr(allow_all) == "allow_all"


def test_bounds_have_defaults() -> None:
    service = Service("shop", components=[Shop])
    assert service.limits == Limits()
    assert service.acl is None


class Likes(ReplicatedEntity[crdt.PNCounter], id="likes-later"):
    @query
    def get(self) -> int:
        return self.state.value


def test_components_of_later_versions_are_refused_by_name() -> None:
    with pytest.raises(NotInThisVersion, match="Likes"):
        Service("shop", components=[Shop, Likes])


def test_options_of_later_versions_are_refused_instead_of_ignored() -> None:
    with pytest.raises(NotInThisVersion, match="jwt= comes"):
        Service("shop", components=[Shop], jwt=object())


@pytest.mark.parametrize(
    "options",
    [
        {"name": ""},
        {"name": "a/b"},
        {"components": []},
        {"components": [Shop()]},
        {"components": [int]},
        {"acl": "all"},
        {"limits": 3},
        {"resources": 3},
        {"on_startup": "now"},
    ],
)
def test_what_cannot_be_a_service_is_refused(options: dict[str, Any]) -> None:
    given: dict[str, Any] = {"name": "shop", "components": [Shop], **options}
    with pytest.raises(DefinitionError):
        Service(given.pop("name"), **given)
