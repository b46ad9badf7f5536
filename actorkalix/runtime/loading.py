"""From what a user types (`shop:service`, `shop/service.py:service`) to the `Service` it names.

A path is turned into a module name: the folder above the outermost package becomes the *app dir*,
so that a module is the same one however it was named. The app dir comes first in `sys.path` while
the service is imported and last from then on: whoever has a `random.py` or a `ray.py` beside the
service gets it, and what we import later gets Python's and Ray's own. `resolve` gives the form that
other processes load again, from any folder.
"""

from __future__ import annotations

import contextlib
import difflib
import importlib
import sys
import traceback
from collections.abc import Generator
from pathlib import Path
from types import ModuleType

import msgspec

from actorkalix.errors import ActorkalixError, ServiceNotLoaded
from actorkalix.model.service import Service


class ServiceSpec(msgspec.Struct, frozen=True):
    """Where a service is defined.

    Attributes:
        module: dotted import name.
        attribute: name in the module, or "" for the only `Service` there.
        app_dir: absolute folder in which the import begins.
    """

    module: str
    attribute: str
    app_dir: str

    def __str__(self) -> str:
        return f"{self.module}:{self.attribute}" if self.attribute else self.module


class Loaded(msgspec.Struct, frozen=True):
    """A service, with the spec that names it in full and the file of its module."""

    service: Service
    spec: ServiceSpec
    file: Path

    @property
    def data(self) -> Path:
        """The data folder when none is named: `.actorkalix/<service>` beside the module."""
        return self.file.parent / ".actorkalix" / self.service.name


def load_service(spec: str, app_dir: str | None = None) -> Service:
    """Import the service that `spec` names.

    Args:
        spec: `module:attribute`, `path/to/file.py:attribute`; without an attribute, the module's
            only service.
        app_dir: folder in which modules are looked for; default is the working folder, or that of
            the path.

    Raises:
        ServiceNotLoaded: it cannot be found or imported; the message says where and why.
        DefinitionError: the module defines a component or service that cannot work.
    """
    return load(resolve(spec, app_dir)).service


def resolve(spec: str, app_dir: str | None = None) -> ServiceSpec:
    """Read `spec` without importing anything; see `load_service`.

    Raises:
        ServiceNotLoaded: it is not of that form, or the file does not exist.
    """
    name, _, attribute = spec.rpartition(":") if ":" in spec else (spec, "", "")
    if not name or not _dotted(attribute or "x"):
        raise ServiceNotLoaded(
            f"{spec!r} names no service: write module:service or path/file.py:service"
        )
    if name.endswith(".py") or "/" in name:
        return _of_path(Path(name), attribute, app_dir)
    if not _dotted(name):
        raise ServiceNotLoaded(f"{name!r} is not the name of a module: write module:service")
    return ServiceSpec(name, attribute, str(_folder(app_dir or ".")))


def load(spec: ServiceSpec) -> Loaded:
    """Import what `resolve` has read; see `load_service` for what it raises."""
    with _first_in_path(spec.app_dir):
        module = _import(spec)
    file = Path(module.__file__ or spec.app_dir).resolve()
    wanted = Path(spec.app_dir, *spec.module.split(".")).with_suffix(".py")
    if wanted.exists() and file != wanted.resolve():
        raise ServiceNotLoaded(
            f"the name {spec.module!r} belongs to {_shown(file)} already: "
            f"give {_shown(wanted)} another name"
        )
    attribute = spec.attribute or _only_service(module, spec)
    return Loaded(
        _service(module, attribute), ServiceSpec(spec.module, attribute, spec.app_dir), file
    )


def _of_path(path: Path, attribute: str, app_dir: str | None) -> ServiceSpec:
    file = path.resolve()
    if file.is_dir():
        raise ServiceNotLoaded(
            f"{path} is a folder: name the file in it, as {path}/service.py:service"
        )
    if not file.is_file():
        near = _near(file.name, [p.name for p in file.parent.glob("*.py")])
        raise ServiceNotLoaded(f"there is no file {path}{near}")
    root = _folder(app_dir) if app_dir else file.parent
    while app_dir is None and (root / "__init__.py").exists():
        root = root.parent
    if not file.is_relative_to(root):
        raise ServiceNotLoaded(f"{path} is not below the app dir {root}")
    parts = file.relative_to(root).with_suffix("").parts
    module = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
    if not _dotted(module):
        raise ServiceNotLoaded(f"{path} cannot be imported: {module!r} is not the name of a module")
    return ServiceSpec(module, attribute, str(root))


def _folder(name: str) -> Path:
    folder = Path(name).resolve()
    if not folder.is_dir():
        raise ServiceNotLoaded(f"the app dir {name} is not a folder")
    return folder


@contextlib.contextmanager
def _first_in_path(app_dir: str) -> Generator[None]:
    """Import from here first; what is printed meanwhile goes to stderr, stdout is for results."""
    importlib.invalidate_caches()
    sys.path.insert(0, app_dir)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        sys.path.remove(app_dir)
        if app_dir not in sys.path:
            sys.path.append(app_dir)


def _import(spec: ServiceSpec) -> ModuleType:
    try:
        return importlib.import_module(spec.module)
    except ActorkalixError:
        raise
    except ModuleNotFoundError as error:
        if error.name is not None and f"{spec.module}.".startswith(f"{error.name}."):
            names = [
                p.stem for p in Path(spec.app_dir).iterdir() if p.suffix == ".py" or p.is_dir()
            ]
            near = _near(spec.module.partition(".")[0], names)
            raise ServiceNotLoaded(
                f"there is no module {error.name!r} in {spec.app_dir}{near}"
            ) from error
        raise ServiceNotLoaded(_cause(spec, error)) from error
    # A module that calls sys.exit() while it is imported is as broken as one that raises.
    except (Exception, SystemExit, GeneratorExit) as error:
        raise ServiceNotLoaded(_cause(spec, error)) from error


def _cause(spec: ServiceSpec, error: BaseException) -> str:
    """What to say: `cannot import shop: shop.py:12: NameError: name 'x' is not defined`."""
    what = "".join(traceback.format_exception_only(error)).strip().splitlines()[-1]
    if isinstance(error, SyntaxError) and error.filename:
        return f"cannot import {spec.module}: {_shown(Path(error.filename))}:{error.lineno}: {what}"
    frames = traceback.extract_tb(error.__traceback__)
    theirs = [frame for frame in frames if _is_users(Path(frame.filename), spec.app_dir)]
    place = theirs[-1] if theirs else None
    where = f" {_shown(Path(place.filename))}:{place.lineno}:" if place else ""
    return f"cannot import {spec.module}:{where} {what}"


def _service(module: ModuleType, attribute: str) -> Service:
    found: object = module
    for name in attribute.split("."):
        if not hasattr(found, name):
            raise ServiceNotLoaded(
                f"{_shown_module(module)} has no {attribute!r}; {_services_said(module)}"
            )
        found = getattr(found, name)
    if isinstance(found, Service):
        return found
    raise ServiceNotLoaded(
        f"{attribute!r} in {_shown_module(module)} is no Service but {_a(type(found).__name__)}; "
        f"{_services_said(module)}"
    )


def _only_service(module: ModuleType, spec: ServiceSpec) -> str:
    names = list(_services(module))
    if len(names) == 1:
        return names[0]
    raise ServiceNotLoaded(
        f"{spec.module} does not say which service: write {spec.module}:NAME; "
        f"{_services_said(module)}"
    )


def _services(module: ModuleType) -> dict[str, Service]:
    return {name: value for name, value in vars(module).items() if isinstance(value, Service)}


def _services_said(module: ModuleType) -> str:
    named = [f"{name} (service {value.name!r})" for name, value in _services(module).items()]
    return f"it has {', '.join(named)}" if named else "it defines no Service"


def _near(name: str, names: list[str]) -> str:
    close = difflib.get_close_matches(name, names, n=1)
    return f"; did you mean {close[0]}?" if close else ""


def _dotted(name: str) -> bool:
    return all(part.isidentifier() for part in name.split("."))


def _is_users(file: Path, app_dir: str) -> bool:
    """Below the app dir, and neither installed there (a venv in it) nor a file of ours."""
    file = file.resolve()
    ours = file.is_relative_to(Path(__file__).resolve().parents[1])
    return file.is_relative_to(app_dir) and "site-packages" not in file.parts and not ours


def _a(noun: str) -> str:
    return f"{'an' if noun[:1].lower() in 'aeiou' else 'a'} {noun}"


def _shown_module(module: ModuleType) -> str:
    return _shown(Path(module.__file__)) if module.__file__ else module.__name__


def _shown(file: Path) -> str:
    """As the user would type it: relative to the working folder where it is below it."""
    file = file.resolve()
    return str(file.relative_to(Path.cwd())) if file.is_relative_to(Path.cwd()) else str(file)
