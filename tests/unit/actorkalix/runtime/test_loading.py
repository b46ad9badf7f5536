"""Loading a service by what a user types, and what is said when that fails."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from actorkalix.errors import DefinitionError, ServiceNotLoaded
from actorkalix.runtime.loading import load, load_service, resolve

SHOP = """
from dataclasses import dataclass
from actorkalix import Effect, Service, ValueEntity, command

@dataclass(frozen=True)
class State:
    name: str = ""

class Profile(ValueEntity[State], id="profile"):
    def empty_state(self) -> State:
        return State()

    @command
    def rename(self, name: str) -> Effect[None]:
        return self.effects.update_state(State(name)).then_reply(None)

service = Service("shop", components=[Profile])
number = 5
"""

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Write]:
    """Writes a file below an empty working folder; what is imported from there is forgotten."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    known = set(sys.modules)

    def write(name: str, text: str = SHOP) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    yield write
    for name in set(sys.modules) - known:
        if (getattr(sys.modules[name], "__file__", None) or "").startswith(str(tmp_path)):
            del sys.modules[name]


def refused(spec: str, app_dir: str | None = None) -> str:
    with pytest.raises(ServiceNotLoaded) as caught:
        load_service(spec, app_dir)
    return str(caught.value)


def test_by_module_from_the_working_folder(write: Write) -> None:
    write("h7shop.py")
    assert load_service("h7shop:service").name == "shop"


def test_by_path_from_anywhere(write: Write, tmp_path: Path) -> None:
    write("deep/h7path.py")
    loaded = load(resolve("deep/h7path.py:service"))
    assert loaded.service.name == "shop"
    assert str(loaded.spec) == "h7path:service"
    assert loaded.spec.app_dir == str(tmp_path / "deep")
    assert loaded.data == tmp_path / "deep" / ".actorkalix" / "shop"


def test_a_path_and_a_name_in_a_package_are_the_same_module(write: Write, tmp_path: Path) -> None:
    write("h7pkg/__init__.py", "")
    write("h7pkg/sub/__init__.py", "")
    write("h7pkg/sub/shop.py")
    by_path = load(resolve("h7pkg/sub/shop.py:service"))
    assert (by_path.spec.module, by_path.spec.app_dir) == ("h7pkg.sub.shop", str(tmp_path))
    assert load_service("h7pkg.sub.shop:service") is by_path.service


def test_an_app_dir_is_where_modules_are_looked_for(write: Write) -> None:
    write("src/h7src.py")
    assert load_service("h7src:service", "src").name == "shop"
    assert "h7src" in refused("h7src_:service", "src")
    assert "not a folder" in refused("h7src:service", "nowhere")
    assert "is not below the app dir" in refused("src/h7src.py:service", "/usr")


def test_without_an_attribute_the_only_service_is_taken(write: Write) -> None:
    write("h7one.py")
    write("h7two.py", SHOP + "\nother = Service('other', components=[Profile])\n")
    write("h7none.py", "x = 1\n")
    assert str(load(resolve("h7one")).spec) == "h7one:service"
    said = refused("h7two")
    assert "service (service 'shop'), other (service 'other')" in said
    assert "write h7two:NAME" in said
    assert "defines no Service" in refused("h7none.py")


def test_an_attribute_may_stand_inside_of_another(write: Write) -> None:
    write("h7inner.py", SHOP + "\nclass Apps:\n    main = service\n")
    assert load_service("h7inner:Apps.main").name == "shop"


def test_a_missing_attribute_is_answered_with_those_that_are_there(write: Write) -> None:
    write("h7shop.py")
    said = refused("h7shop:servce")
    assert said == "h7shop.py has no 'servce'; it has service (service 'shop')"


def test_what_is_no_service_is_named(write: Write) -> None:
    write("h7shop.py")
    assert "'number' in h7shop.py is no Service but an int" in refused("h7shop:number")


def test_modules_and_files_that_are_not_there(write: Write) -> None:
    write("h7shop.py")
    assert "there is no module 'h7shp' in" in refused("h7shp:service")
    assert "did you mean h7shop?" in refused("h7shp:service")
    assert "there is no module 'h7nope' in" in refused("h7nope.shop")
    assert "did you mean h7shop.py?" in refused("h7shp.py:service")
    Path("folder").mkdir()
    assert "is a folder" in refused("folder/:service")


@pytest.mark.parametrize(
    "spec", ["", ":", ":service", "a b", "shop:", "shop:1x", "shop:a..b", "1shop", "shop..x:y"]
)
def test_what_names_nothing(write: Write, spec: str) -> None:
    del write
    assert "module:service" in refused(spec) or "no module" in refused(spec)


@pytest.mark.parametrize(
    "text, said",
    [
        ("\n1 / 0\n", "h7bad.py:2: ZeroDivisionError: division by zero"),
        ("import no_such_module_h7\n", "h7bad.py:1: ModuleNotFoundError: No module named"),
        ("def f(:\n", "h7bad.py:1: SyntaxError: "),
        ("\n\nimport sys\nsys.exit(3)\n", "h7bad.py:4: SystemExit: 3"),
        ("import json\njson.loads('{')\n", "h7bad.py:2: json.decoder.JSONDecodeError"),
        ("from h7other import missing\n", "h7bad.py:1: ImportError: cannot import name"),
    ],
)
def test_a_module_that_fails_names_its_own_line(write: Write, text: str, said: str) -> None:
    write("h7bad.py", text)
    write("h7other.py", "")
    assert f"cannot import h7bad: {said}" in refused("h7bad:service")


def test_a_failure_in_a_module_that_it_imports_names_that_one(write: Write) -> None:
    write("h7outer.py", "import h7inner2\n")
    write("h7inner2.py", "\n\nraise ValueError('inner')\n")
    assert "h7inner2.py:3: ValueError: inner" in refused("h7outer:service")


def test_a_definition_error_passes_as_it_is(write: Write) -> None:
    write("h7def.py", SHOP.replace("Effect[None]:", "int:"))
    with pytest.raises(DefinitionError) as caught:
        load_service("h7def:service")
    assert not isinstance(caught.value, ServiceNotLoaded)


def test_a_name_that_is_taken_already_is_told(write: Write) -> None:
    write("json.py")
    said = refused("json.py:service")
    assert "belongs to" in said
    assert "give json.py another name" in said
