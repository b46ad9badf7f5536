"""`actorkalix components`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.actorkalix.cli.conftest import SHOP
from tests.unit.actorkalix.cli.ran import Ran

Cli = Callable[..., Ran]

SHOWN = """\
service shop

cart  event sourced · ShoppingCart · shop.py:27 · snapshot every 3
  command  add(item: str, times: int = 1) -> int  POST /cart/{entity_id}/add
  command  remove(item: str, reason: str) -> int  POST /cart/{entity_id}/remove
  command  hold(item: str) -> None                POST /cart/{entity_id}/hold
  command  drop() -> None                         DELETE /carts/{entity_id}
                                                  POST /cart/{entity_id}/drop
  query    get() -> Cart                          GET /carts/{entity_id}
                                                  GET POST /cart/{entity_id}/get
  stored   as event                               Added v1, Removed v1
  stored   as state                               Cart v1

profile  value · Profile · shop.py:71
  command  rename(name: str) -> None  POST /profile/{entity_id}/rename
  command  close() -> None            POST /profile/{entity_id}/close
  stored   as state                   ProfileState v1
"""


@pytest.fixture(autouse=True)
def beside_the_module(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path(SHOP.partition(":")[0]).parent)


def test_for_a_person(cli: Cli) -> None:
    assert cli("components", "shop.py:service") == Ran(0, SHOWN, "")


def test_as_json(cli: Cli) -> None:
    document = cli("components", SHOP, "--json").document
    assert document["service"] == "shop"
    cart, profile = document["components"]
    assert (cart["id"], cart["kind"], cart["snapshot_every"]) == ("cart", "event_sourced", 3)
    add = cart["handlers"][0]
    assert add["parameters"][1] == {
        "name": "times",
        "type": "int",
        "required": False,
        "default": "1",
    }
    assert add["routes"] == [{"verb": "POST", "path": "/cart/{entity_id}/add", "custom": False}]
    assert cart["handlers"][3]["routes"][0]["custom"]
    assert [stored["tag"] for stored in cart["stored"]] == ["Added", "Removed", "Cart"]
    assert profile["snapshot_every"] == 0


MIGRATED = """
@migrate(Added, from_version=1)
def one(old: dict) -> dict:
    return old

@migrate(Added, from_version=2)
def two(old: dict) -> dict:
    return old

class ShoppingCart"""


def test_older_versions_that_are_read_are_named(cli: Cli, tmp_path: Path) -> None:
    text = Path("shop.py").read_text()
    text = text.replace("import Effect", "import type_name, migrate, Effect")
    named = '@type_name("added", version=3)\n@dataclass(frozen=True)\nclass Added'
    text = text.replace("@dataclass(frozen=True)\nclass Added", named)
    text = text.replace("class ShoppingCart", MIGRATED)
    (tmp_path / "h7cli.py").write_text(text)
    ran = cli("components", f"{tmp_path}/h7cli.py")
    assert "added v3 (reads 1, 2), Removed v1" in ran.out, ran.err


@pytest.mark.parametrize(
    "spec, number",
    [("nothing_h7:service", "AK1003"), ("shop.py:nope", "AK1003"), ("", "AK1003")],
)
def test_what_cannot_be_loaded(cli: Cli, spec: str, number: str) -> None:
    ran = cli("components", spec, "--json")
    assert (ran.code, ran.error["number"]) == (2, number)


def test_all_problems_of_a_definition_are_listed(cli: Cli, tmp_path: Path) -> None:
    text = Path("shop.py").read_text()
    text = text.replace("def add(self, item: str, times: int = 1) -> Effect[int]", "def add(self)")
    text = text.replace("def rename(self, name: str)", "async def rename(self, name: str)")
    (tmp_path / "h7cli.py").write_text(text)
    ran = cli("components", f"{tmp_path}/h7cli.py", "--json")
    assert (ran.code, ran.error["number"]) == (2, "AK1001")
    assert "h7cli.py:" in ran.error["message"]
