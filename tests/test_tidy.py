"""The house's style as a test over the source tree: a failure names the place and what to do."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = {
    "actorkalix": ROOT / "actorkalix",
    "actorkalix_cluster": ROOT / "cluster" / "actorkalix_cluster",
    "actorkalix_storage": ROOT / "storage" / "actorkalix_storage",
}
UNIT_TESTS = {
    "actorkalix": "actorkalix",
    "actorkalix_cluster": "cluster",
    "actorkalix_storage": "storage",
}

FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 70
LINE_CHARACTERS_MAX = 100
SUPPRESSIONS_MAX = 21  # of mypy, pyright and ruff over all of it; may only fall

TOP_LEVEL = {
    "pyproject.toml",
    "README.md",
    "LICENSE",
    "CHANGELOG.md",
    "actorkalix",
    "cluster",
    "storage",
    "examples",
    "tests",
    "scripts",
}
EVERYWHERE = "*"


@dataclass(frozen=True)
class Ban:
    """A pattern that may not stand in files whose path matches `where` (and none of `but`)."""

    pattern: str
    instead: str
    where: tuple[str, ...] = ("actorkalix/*", "cluster/*", "storage/*")
    but: tuple[str, ...] = ()


PURE = (
    "actorkalix/engine/*",
    "actorkalix/describe/*",
    "actorkalix/codec/*",
    "actorkalix/model/*",
    "cluster/actorkalix_cluster/placement/*",
)
BANS = (
    Ban(r"(?<![\w.])print\(", "a logger, or return the text to the cli", but=("actorkalix/cli/*",)),
    Ban(r"\btime\.time\(|\bdatetime\.now\(|\bdate\.today\(", "now_ms as an argument", where=PURE),
    Ban(r"\brandom\.|\bsecrets\.|\buuid\.uuid|\bos\.urandom", "an id as an argument", where=PURE),
    Ban(r"\butcnow\(|\butcfromtimestamp\(", "an aware datetime, or integer ms"),
    Ban(r"asyncio\.get_event_loop\(", "asyncio.get_running_loop()", where=(EVERYWHERE,)),
    Ban(r"\blogging\.basicConfig\(", "leave logging to the host and the cli", but=("*/cli/*",)),
    Ban(r"^\s*except\s*:", "the exceptions that are meant", where=(EVERYWHERE,)),
    Ban(r"except[^\n]*:\s*(\n\s*)?pass\b", "contextlib.suppress, with a reason", (EVERYWHERE,)),
    Ban(r"\b(eval|exec)\(", "something that cannot run what came from outside"),
    Ban(r"\bpickle\b", "codec: stored bytes and messages are msgpack"),
    Ban(r"\b(time|asyncio)\.sleep\((?!0\))", "an event or a barrier", where=("tests/unit/*",)),
    Ban(r"\b(TODO|FIXME|XXX)\b(?!\()", "do it, or give a reason: TODO(why)", where=(EVERYWHERE,)),
    Ban(r"\bmock\.|MagicMock|AsyncMock", "the real part", where=("tests/e2e/*", "tests/ray/*")),
    Ban(r"/(?:work|home|root)/\w", "a path relative to the file", where=(EVERYWHERE,)),
)
BAN_EXEMPT = {
    "tests/test_tidy.py": "names what it bans",
    "tests/unit/test_stand_alone.py": "shows that it is refused",
}

BANNED_NAMES = {"utils", "common", "manager", "helper", "helpers", "misc"}

ENTRY_POINTS = {
    "actorkalix": "what users import",
    "actorkalix.__main__": "python -m actorkalix",
    "actorkalix.cli": "the console script",
    "actorkalix.crdt": "what users import",
    "actorkalix.http": "what users import",
    "actorkalix.testkit": "what users import",
    "actorkalix.testkit.pytest_plugin": "the entry point of pytest",
    "actorkalix.testkit.recorder": "what users import",
    "actorkalix_cluster": "root package",
    "actorkalix_storage": "root package",
    "actorkalix_storage.testing": "the contract suite, for the tests of any store",
}

TESTED_THROUGH = {
    "actorkalix.__main__": "tests/e2e/test_loyalty.py",
    "actorkalix.describe.*": "tests/unit/actorkalix/describe/test_invalid.py",
    "actorkalix.engine.*": "tests/unit/actorkalix/engine/test_event_sourced.py",
    "actorkalix.errors.*": "tests/unit/actorkalix/cli/test_explain.py",
    "actorkalix.testkit.results": "tests/unit/actorkalix/testkit/test_entity.py",
    "actorkalix.viewsql.blocks": "tests/unit/actorkalix/viewsql/test_compiling.py",
    "actorkalix.viewsql.calls": "tests/unit/actorkalix/viewsql/test_compiling.py",
    "actorkalix.viewsql.cursor": "tests/unit/actorkalix/viewsql/test_parsing.py",
    "actorkalix.viewsql.deriving": "tests/unit/actorkalix/viewsql/test_compiling.py",
    "actorkalix.viewsql.mapping": "tests/unit/actorkalix/viewsql/test_compiling.py",
    "actorkalix.viewsql.output": "tests/unit/actorkalix/viewsql/test_answers.py",
    "actorkalix.viewsql.query": "tests/unit/actorkalix/viewsql/test_answers.py",
    "actorkalix.viewsql.scalars": "tests/unit/actorkalix/viewsql/test_compiling.py",
    "actorkalix.viewsql.scope": "tests/unit/actorkalix/viewsql/test_compiling.py",
    "actorkalix.viewsql.statements": "tests/unit/actorkalix/viewsql/test_answers.py",
    "actorkalix.viewsql.stop_words": "tests/unit/actorkalix/viewsql/test_words.py",
    "actorkalix.viewsql.syntax": "tests/unit/actorkalix/viewsql/test_parsing.py",
    "actorkalix.viewsql.terms": "tests/unit/actorkalix/viewsql/test_parsing.py",
    "actorkalix.viewsql.wrapping": "tests/unit/actorkalix/viewsql/test_answers.py",
    "actorkalix_storage.lmdbstore.*": "tests/contract/test_lmdbstore.py",
    "actorkalix_storage.memorystore": "tests/contract/test_memorystore.py",
    "actorkalix_storage.testing.*": "tests/contract/test_memorystore.py",
}
"""Modules (or patterns) without unit tests of their own name, and the tests that stand for them."""

NOT_IMPLEMENTED_ALLOWED = {
    "storage/actorkalix_storage/testing/*": "what the tests of a store supply",
    "examples/*": "the body of a @sql method",
    "scripts/benchmarks/view_service.py": "the body of a @sql method",
    "tests/*": "the body of a @sql method",
}


@dataclass(frozen=True)
class Source:
    """A Python file of this repository."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.relative_to(ROOT).as_posix()

    @property
    def text(self) -> str:
        return _text(self.path)

    @property
    def tree(self) -> ast.Module:
        return _tree(self.path)

    def matches(self, *patterns: str) -> bool:
        return any(fnmatch(self.name, pattern) for pattern in patterns)


@cache
def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(_text(path), filename=str(path))


@cache
def sources() -> tuple[Source, ...]:
    """Everything that is Python here, but for the files that must fail."""
    folders = (*PACKAGES.values(), ROOT / "examples", ROOT / "tests", ROOT / "scripts")
    must_fail = (ROOT / "tests" / "typing", ROOT / "tests" / "invalid")
    return tuple(
        Source(path)
        for folder in folders
        for path in sorted(folder.rglob("*.py"))
        if not any(path.is_relative_to(folder) for folder in must_fail)
    )


@cache
def modules() -> dict[str, Source]:
    """The modules of the three packages by their import names."""
    found: dict[str, Source] = {}
    for package, folder in PACKAGES.items():
        for path in sorted(folder.rglob("*.py")):
            parts = (package, *path.relative_to(folder).with_suffix("").parts)
            found[".".join(part for part in parts if part != "__init__")] = Source(path)
    return found


def say(problems: list[str]) -> None:
    """Fails with all problems, one a line."""
    if problems:
        pytest.fail("\n".join(["", *problems]), pytrace=False)


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """All functions of a file, nested ones too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def test_sizes() -> None:
    problems: list[str] = []
    for source in sources():
        lines = source.text.splitlines()
        if len(lines) > FILE_LINES_MAX:
            problems.append(f"{source.name}: {len(lines)} lines of at most {FILE_LINES_MAX}")
        problems += [
            f"{source.name}:{number}: {len(line)} characters of at most {LINE_CHARACTERS_MAX}"
            for number, line in enumerate(lines, 1)
            if len(line) > LINE_CHARACTERS_MAX
        ]
        for function in functions(source.tree):
            length = (function.end_lineno or function.lineno) - function.lineno + 1
            if length > FUNCTION_LINES_MAX:
                place = f"{source.name}:{function.lineno}: {function.name}"
                problems.append(f"{place} has {length} lines of at most {FUNCTION_LINES_MAX}")
    say(problems)


@pytest.mark.parametrize("ban", BANS, ids=lambda ban: ban.pattern)
def test_banned(ban: Ban) -> None:
    pattern = re.compile(ban.pattern, re.MULTILINE)
    problems: list[str] = []
    for source in sources():
        if source.name in BAN_EXEMPT or not source.matches(*ban.where) or source.matches(*ban.but):
            continue
        for found in pattern.finditer(source.text):
            line = source.text.count("\n", 0, found.start()) + 1
            problems.append(f"{source.name}:{line}: {found[0].strip()!r}; instead: {ban.instead}")
    say(problems)


def test_texts_speak_of_the_project_alone() -> None:
    texts = [*ROOT.glob("*.md"), *ROOT.glob("[!.]*/**/*.md"), ROOT / "pyproject.toml"]
    texts += [path for path in (ROOT / "scripts").iterdir() if path.is_file()]
    machine_path = re.compile(r"/(?:work|home|root)/\w")
    say([f"{path}: a path of one machine" for path in texts if machine_path.search(_text(path))])


def test_module_names() -> None:
    say([
        f"{name}: say what it is, not {part!r}"
        for name in modules()
        for part in name.split(".")
        if BANNED_NAMES & set(part.split("_"))
    ])  # fmt: skip


def test_top_level_is_what_the_house_allows() -> None:
    ignored = [line.strip("/") for line in _text(ROOT / ".gitignore").splitlines() if line]
    found = {
        path.name
        for path in ROOT.iterdir()
        if not path.name.startswith(".") and not any(fnmatch(path.name, each) for each in ignored)
    }
    assert found == TOP_LEVEL
    assert not (ROOT / "cluster" / "__init__.py").exists(), "cluster/ is a folder, no package"
    assert not (ROOT / "storage" / "__init__.py").exists(), "storage/ is a folder, no package"
    assert all((folder / "py.typed").exists() for folder in PACKAGES.values())


def test_changelog_is_of_this_version() -> None:
    version = tomllib.loads(_text(ROOT / "pyproject.toml"))["project"]["version"]
    newest = re.search(r"^## (\S+)", _text(ROOT / "CHANGELOG.md"), re.MULTILINE)
    assert newest is not None
    assert newest[1] == version


def test_everything_public_has_a_docstring() -> None:
    problems: list[str] = []
    for name, source in modules().items():
        if ast.get_docstring(source.tree) is None and source.text.strip():
            problems.append(f"{source.name}:1: module {name} has no docstring")
        overloads = {node.name for node in functions(source.tree) if _is_overload(node)}
        for node in source.tree.body:
            if not isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            if node.name.startswith("_") or node.name in overloads:
                continue
            if ast.get_docstring(node) is None:
                problems.append(f"{source.name}:{node.lineno}: {node.name} has no docstring")
    say(problems)


def _is_overload(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return any(isinstance(each, ast.Name) and each.id == "overload" for each in node.decorator_list)


def test_nothing_is_left_unimplemented() -> None:
    problems: list[str] = []
    for source in sources():
        if source.matches(*NOT_IMPLEMENTED_ALLOWED):
            continue
        problems += [
            f"{source.name}:{node.lineno}: NotImplementedError"
            for node in ast.walk(source.tree)
            if isinstance(node, ast.Raise) and "NotImplementedError" in ast.dump(node)
        ]
    say(problems)


def test_no_module_is_an_orphan() -> None:
    names = [name.split(".") for source in sources() for name in _imports(source)]
    imported = {".".join(parts[:end]) for parts in names for end in range(1, len(parts) + 1)}
    say([
        f"{source.name}: nothing imports {name}; use it, remove it, or name it in ENTRY_POINTS"
        for name, source in modules().items()
        if name not in imported and name not in ENTRY_POINTS
    ])  # fmt: skip


def _imports(source: Source) -> Iterator[str]:
    """Names that a file imports, also as a string "module:name" (loaded when it is needed)."""
    if source.matches("tests/*") and not source.matches("tests/contract/*", "tests/property/*"):
        return
    for node in ast.walk(source.tree):
        match node:
            case ast.Import(names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(names=names):
                module = _origin(node, source)
                yield module
                yield from (f"{module}.{alias.name}" for alias in names)
            case ast.Constant(value=str(text)) if re.fullmatch(r"actorkalix[\w.]*:\w+", text):
                yield text.partition(":")[0]
            case _:
                pass


def _origin(node: ast.ImportFrom, source: Source) -> str:
    """The module that a `from ... import` names, also when it is relative to the file."""
    if node.level == 0:
        return node.module or ""
    home = next((name for name, each in modules().items() if each.path == source.path), "")
    parents = home.split(".")
    if source.path.name != "__init__.py":
        parents.pop()
    parents = parents[: len(parents) - node.level + 1]
    return ".".join((*parents, node.module) if node.module else parents)


def test_every_module_has_a_twin_in_the_unit_tests() -> None:
    problems: list[str] = []
    for name, source in modules().items():
        if source.path.name == "__init__.py" or not _does_something(source):
            continue
        package, *inner, module = name.split(".")
        folder = ROOT.joinpath("tests", "unit", UNIT_TESTS[package], *inner)
        if [*folder.glob(f"test_{module}.py"), *folder.glob(f"test_{module}_*.py")]:
            continue
        others = [path for pattern, path in TESTED_THROUGH.items() if fnmatch(name, pattern)]
        if not any(ROOT.joinpath(path).exists() for path in others):
            problems.append(f"{source.name} has no {folder.relative_to(ROOT)}/test_{module}.py")
    say(problems)


def _does_something(source: Source) -> bool:
    """Whether a module has functions with bodies; words and protocols alone need no test."""
    bodies = (node.body[ast.get_docstring(node) is not None :] for node in functions(source.tree))
    return any(body and not _is_ellipsis(body[0]) for body in bodies)


def _is_ellipsis(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and getattr(node.value, "value", None) is Ellipsis


def test_examples_import_the_public_package_alone() -> None:
    allowed = {"actorkalix", "examples", "httpx", "rich", *sys.stdlib_module_names}
    say([
        f"{source.name}: imports {name}, of which an example knows nothing"
        for source in sources()
        if source.matches("examples/*")
        for name in _imports(source)
        if name.partition(".")[0] not in allowed
    ])  # fmt: skip


def test_suppressions_carry_a_code_and_grow_fewer() -> None:
    marks = re.compile(r"#\s*(type: ignore|pyright: ignore|noqa)(\[|: [A-Z])?")
    found = [
        (source.name, source.text.count("\n", 0, mark.start()) + 1, mark)
        for source in sources()
        if source.name not in BAN_EXEMPT
        for mark in marks.finditer(source.text)
    ]
    say([f"{name}:{line}: {mark[1]} without a code" for name, line, mark in found if not mark[2]])
    assert len(found) <= SUPPRESSIONS_MAX, f"{len(found)} suppressions, at most {SUPPRESSIONS_MAX}"
    assert len(found) > SUPPRESSIONS_MAX - 5, f"fewer: set SUPPRESSIONS_MAX to {len(found)}"
