"""`actorkalix simulate`."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.actorkalix.cli.ran import Ran
from tests.unit.actorkalix.testkit import seats

Cli = Callable[..., Ran]
SEATS = f"{seats.__file__}:service"
SMALL = ("--hosts", "2", "--clients", "2", "--operations", "20", "--entities", "2", "--runs", "3")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reports are written below the working folder."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def calm(tmp_path: Path) -> str:
    """A service of which nothing is found."""
    return copied(tmp_path, "calm", "assert state.sold <= SEATS", "assert state.sold < 2**40")


@pytest.fixture
def wrong(tmp_path: Path) -> str:
    """A service whose invariant is broken by the first seats that are sold."""
    return copied(tmp_path, "wrong", "assert state.sold <= SEATS", "assert state.sold <= 0")


def copied(folder: Path, name: str, old: str, new: str) -> str:
    text = Path(seats.__file__).read_text(encoding="utf-8")
    assert old in text
    file = f"{name}_{folder.name}.py"  # a module's name belongs to one file in a process
    (folder / file).write_text(text.replace(old, new), encoding="utf-8")
    return f"{file}:service"


def test_what_passes_says_what_was_played(cli: Cli, calm: str) -> None:
    ran = cli("simulate", calm, *SMALL, "--seed", "5", "--faults", "none")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("passed theatre: seeds 5 to 7, ")
    assert " operations, 0 planned faults, " in ran.out
    assert ran.out.endswith(" runs/s\n")
    found = cli("simulate", calm, *SMALL, "--seed", "5", "--faults", "none", "--json").document
    assert (found["ok"], found["seeds"], found["runs"]) == (True, [5, 7], 3)
    assert found["operations"] >= 60
    assert found["failed_seed"] is None


def test_what_fails_is_shown_written_and_repeated(cli: Cli, wrong: str, tmp_path: Path) -> None:
    ran = cli("simulate", wrong, *SMALL, "--faults", "none")
    assert ran.code == 1
    assert ran.out.startswith("never_oversold: show 'e")
    assert "\nfailed theatre: seed" in ran.out
    report = tmp_path / ".actorkalix" / "simulation"
    (folder,) = report.iterdir()
    names = {file.name for file in folder.iterdir()}
    assert names == {"plan.json", "history.jsonl", "history.html", "trace.txt"}

    (repeat,) = [line for line in ran.out.splitlines() if line.startswith("repeat it with: ")]
    actorkalix, *words = shlex.split(repeat.removeprefix("repeat it with: "))
    assert actorkalix == "actorkalix"
    assert words[:2] == ["simulate", wrong]
    again = cli(*words, "--json")
    found = again.document
    assert (again.code, found["failed_seed"]) == (1, int(folder.name))
    assert found["text"].splitlines()[:-1] == [
        line for line in ran.out.splitlines() if line in found["text"].splitlines()[:-1]
    ]
    assert found["found"][0]["rule"] == "never_oversold"


def test_without_shrinking(cli: Cli, wrong: str) -> None:
    ran = cli("simulate", wrong, *SMALL, "--no-shrink", "--report", "a b", "--json")
    found = ran.document
    assert (ran.code, found["report"]) == (1, "a b")
    assert len(json.loads(Path("a b", "plan.json").read_text())["calls"]) == 20
    assert found["repeat"] == f"actorkalix simulate {wrong} --plan 'a b/plan.json'"


def test_scenarios(cli: Cli, wrong: str, calm: str, tmp_path: Path) -> None:
    file = tmp_path / "sold.toml"
    head = 'name = "sold"\nruns = 2\noperations = 20\nservice = '
    file.write_text(f'{head}"{calm}"\n[faults]\npreset = "none"\n')
    assert cli("simulate", "--scenario", "sold.toml", "--json").document["runs"] == 2
    assert cli("simulate", "--scenario", "sold.toml", "--runs", "1", "--json").document["runs"] == 1

    file.write_text(f'{head}"{calm}"\n[expect]\nrule = "linearizability"\n')
    ran = cli("simulate", "--scenario", "sold.toml")
    assert ran.code == 1
    assert ran.out.startswith("did not find linearizability, as expected theatre: seeds 0 to 1")

    file.write_text(f'{head}"{wrong}"\n[expect]\nrule = "linearizability"\n')
    ran = cli("simulate", "--scenario", "sold.toml")
    assert ran.code == 1  # it is another rule that is broken
    assert f"repeat it with: actorkalix simulate {wrong} --plan " in ran.out


def test_a_service_that_is_not_deterministic(cli: Cli, tmp_path: Path) -> None:
    old = "class Sold:\n    count: int\n"
    new = f"{old}    note: int = field(default_factory=lambda: next(NOTES))\n"
    odd = copied(tmp_path, "odd", old, new)
    file = tmp_path / odd.removesuffix(":service")
    text = file.read_text().replace("import dataclass\n", "import dataclass, field\n")
    text = text.replace("assert state.sold <= SEATS", "assert state")
    file.write_text(f"{text}\nimport itertools\nNOTES = itertools.count(1000)\n")
    ran = cli("simulate", odd, *SMALL, "--faults", "none")
    assert ran.code == 1
    assert ran.out.startswith("seed 0 played twice is not the same from line ")
    assert "reads a clock, draws a number" in ran.out
    assert cli("simulate", odd, *SMALL, "--json").document["failed_seed"] == 0


@pytest.mark.parametrize(
    "words, text",
    [
        ((), "name a service, as shop:service, or --scenario FILE"),
        (("--plan", "p.json"), "name a service"),
        ((SEATS, "--hosts", "17"), "'17' is not a number of 1 to 16"),
        ((SEATS, "--runs", "0"), "'0' is not a number of runs of 1 to"),
        ((SEATS, "--seed", "-1"), "'-1' is not a seed"),
        ((SEATS, "--faults", "some"), "invalid choice: 'some'"),
        ((SEATS, "--scenario", "a", "--plan", "b"), "give one"),
    ],
)
def test_what_does_not_fit(cli: Cli, words: tuple[str, ...], text: str) -> None:
    ran = cli("simulate", *words, "--json")
    assert (ran.code, ran.error["number"]) == (2, "AK5003")
    assert text in ran.error["message"]


def test_files_that_do_not_fit(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text("{}")
    for words, text in (
        (("--plan", "none.json"), "none.json: No such file"),
        (("--plan", "bad.json"), "bad.json: no plan of a run that failed (Object missing"),
        (("--scenario", "none.toml"), "none.toml: No such file"),
    ):
        ran = cli("simulate", SEATS, *words, "--json")
        assert (ran.code, ran.error["number"]) == (2, "AK5023")
        assert text in ran.error["message"]


def test_plans_of_programs_belong_to_their_test(cli: Cli, wrong: str, tmp_path: Path) -> None:
    cli("simulate", wrong, *SMALL, "--report", "out")
    plan = json.loads((tmp_path / "out" / "plan.json").read_text())
    plan["calls"][0] |= {"kind": "program", "method": "buy"}
    (tmp_path / "program.json").write_text(json.dumps(plan))
    ran = cli("simulate", wrong, "--plan", "program.json", "--json")
    assert (ran.code, ran.error["number"]) == (2, "AK5003")
    assert "clients run buy in it, which only the test that gave" in ran.error["message"]


def test_reports_that_cannot_be_written(cli: Cli, wrong: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    ran = cli("simulate", wrong, *SMALL, "--no-shrink", "--report", "file/out", "--json")
    assert (ran.code, ran.error["number"]) == (2, "AK5003")
    assert "--report file/out: cannot be written: Not a directory" in ran.error["message"]


def test_an_invariant_that_does_not_fit(cli: Cli, tmp_path: Path) -> None:
    service = copied(tmp_path, "odd", "def never_oversold(state: House)", "def wrong(state: int)")
    ran = cli("simulate", service, "--json")
    assert (ran.code, ran.error["number"]) == (2, "AK5003")
    assert (
        "wrong: no component of service 'theatre' has states of the type int"
        in (ran.error["message"])
    )
