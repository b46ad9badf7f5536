"""A service knows its components by id."""

from __future__ import annotations

import pytest

from actorkalix import Action, Service, ValueEntity, handler, query
from actorkalix.describe import describe_service, descriptor_of
from actorkalix.errors import DefinitionError, NotInThisVersion


class Counter(ValueEntity[int], id="service-counter"):
    def empty_state(self) -> int:
        return 0

    @query
    def get(self) -> int:
        return self.state


class Mail(Action, id="service-mail"):
    @handler
    async def send(self, to: str) -> None: ...


def test_components_by_id() -> None:
    service = describe_service("shop", [Counter])
    assert service.name == "shop"
    assert service.components == {"service-counter": descriptor_of(Counter)}
    assert Service("shop", components=[Counter]).descriptor == service


@pytest.mark.parametrize("name", ["", "a b", "a/b", "x" * 65, ".", "..", "é"])
def test_names(name: str) -> None:
    with pytest.raises(DefinitionError, match="its name is"):
        describe_service(name, [Counter])


def test_later_components() -> None:
    with pytest.raises(NotInThisVersion) as caught:
        describe_service("shop", [Counter, Mail])
    place = descriptor_of(Mail).place
    assert f"{place.file}:{place.line}: Mail: actions come with a later version" in str(
        caught.value
    )
