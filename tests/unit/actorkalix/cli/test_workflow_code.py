"""`actorkalix workflows diagram` and `check`."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from actorkalix.cli import workflow_code
from actorkalix.errors import FolderInUse
from actorkalix.workflow_views import Moment, WorkflowRow, WorkflowView
from actorkalix_storage.lmdbstore import open_store
from examples.transfer import service as transfers
from tests.unit.actorkalix.cli.ran import Ran
from tests.unit.actorkalix.runtime.flows import filled
from tests.unit.actorkalix.runtime.stock import SHARDS

Cli = Callable[..., Ran]
SVG = "{http://www.w3.org/2000/svg}"
SERVICE = f"{transfers.__file__}:service"


@pytest.fixture
def data(tmp_path: Path) -> str:
    """A folder at rest with four transfers."""
    folder = tmp_path / "data"
    store = open_store(folder, service="transfers", shards=SHARDS)
    filled(store)
    store.close()
    return str(folder)


def test_a_diagram_of_the_code(cli: Cli) -> None:
    ran = cli("workflows", "diagram", "--service", SERVICE)
    assert ran.code == 0
    assert ran.out.startswith("flowchart TD\n")
    assert "InsufficientFunds" in ran.out
    assert "linkStyle" not in ran.out


def test_a_diagram_of_an_instance(cli: Cli, data: str) -> None:
    words = ("workflows", "diagram", "transfer", "t-undone", "--service", SERVICE, "--data", data)
    document = cli(*words, "--json").document
    assert document["taken"] == [
        ["start()", "withdraw"],
        ["withdraw", "deposit"],
        ["deposit", "refunded"],
        ["refunded", "ended"],
    ]
    assert document["at"] == "ended"
    assert "linkStyle" in document["mermaid"]


def nowhere(_: str) -> None:
    """There is no such program."""


def failing(_: str) -> str:
    return "/bin/false"


def drawn(svg: Path) -> tuple[set[str], int]:
    """Titles in a drawing (nodes by number, edges as "n0->n1"), and how many edges are bold."""
    root = ET.parse(svg).getroot()
    titles = {each.text or "" for each in root.iter(f"{SVG}title")}
    bold = [each for each in root.iter(f"{SVG}path") if each.get("stroke-width") == "3"]
    return titles, len(bold)


@pytest.mark.skipif(shutil.which("dot") is None, reason="no dot: apt-get install graphviz")
def test_graphviz_draws_the_code_and_the_way_of_an_instance(
    cli: Cli, tmp_path: Path, data: str
) -> None:
    svg = tmp_path / "transfer.svg"
    words = ("workflows", "diagram", "transfer", "--service", SERVICE, "--svg", str(svg))
    assert cli(*words).code == 0
    titles, bold = drawn(svg)
    assert bold == 0
    assert {"transfer", "n0", "n1", "n0->n1"} <= titles
    assert ">withdraw<" in svg.read_text()
    assert cli(*words[:3], "t-undone", *words[3:], "--data", data).code == 0
    assert drawn(svg)[0] == titles, "the same picture"
    assert drawn(svg)[1] == 4, "start, withdraw, deposit, refunded, ended: four ways between them"


def test_without_graphviz_it_says_what_to_do(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    svg = str(tmp_path / "transfer.svg")
    words = ("workflows", "diagram", "--service", SERVICE, "--svg", svg)
    monkeypatch.setattr(shutil, "which", nowhere)
    ran = cli(*words)
    assert ran.code == 2
    assert "--svg needs Graphviz" in ran.err
    monkeypatch.setattr(shutil, "which", failing)
    assert "Graphviz could not draw" in cli(*words).err


@pytest.mark.parametrize(
    "words, said",
    [
        (("diagram",), "the code is missing"),
        (("diagram", "wallet", "--service", SERVICE), "which workflow? 'wallet' is none"),
        (("check",), "check SERVICE --against DATA: one of them is missing"),
        (("check", SERVICE), "one of them is missing"),
        (("check", SERVICE, "--against", "/nowhere"), "there is no folder /nowhere"),
    ],
)
def test_what_is_missing_is_said(cli: Cli, words: tuple[str, ...], said: str) -> None:
    ran = cli("workflows", *words)
    assert ran.code != 0
    assert said in ran.err


def test_the_code_that_wrote_it_strands_nobody(cli: Cli, data: str) -> None:
    ran = cli("workflows", "check", SERVICE, "--against", data)
    assert (ran.code, ran.out) == (0, "none would be stranded by this code\n")
    assert "4 workflows replayed (4 transfer), 2 run" in ran.err


def test_new_code_that_strands_some_is_a_finding(cli: Cli, data: str, tmp_path: Path) -> None:
    code = Path(transfers.__file__).read_text()
    new = tmp_path / "new_transfers.py"
    new.write_text(code.replace("self.decided", "self.judged").replace("def decided", "def judged"))
    ran = cli("workflows", "check", f"{new}:service", "--against", data)
    assert ran.code == 1
    assert "t-waits" in ran.out
    assert "1 would be stranded by this code" in ran.err
    document = cli("workflows", "check", f"{new}:service", "--against", data, "--json").document
    assert "'decided', which it waits to enter" in document["stranded"][0]["why"][0]


def test_those_that_run_are_named_first_and_a_table_has_an_end(
    cli: Cli, data: str, tmp_path: Path
) -> None:
    new = tmp_path / "other_state.py"
    new.write_text(Path(transfers.__file__).read_text().replace("status: str", "status: int"))
    ran = cli("workflows", "check", f"{new}:service", "--against", data, "--limit", "2")
    assert "4 would be stranded by this code" in ran.err
    assert "there are more: --limit 4 shows all" in ran.err
    assert {line.split()[1] for line in ran.out.splitlines() if line.startswith("transfer")} == {
        *("t-waits", "t-runs")
    }


def busy(*_: object) -> None:
    raise FolderInUse("data/store-0 is open in process 7")


def test_a_folder_in_use_is_not_checked(
    cli: Cli, data: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workflow_code, "stores_of", busy)
    ran = cli("workflows", "check", SERVICE, "--against", data)
    assert "is open in process 7" in ran.err
    assert "check what `actorkalix restore` makes of a backup" in ran.err


def test_a_path_leaves_out_what_goes_nowhere() -> None:
    row = WorkflowRow("c", "i", "running", "b", sequence_number=4)
    moments = (
        Moment(1, 0, "command", "start", status="running", next_step="a"),
        Moment(2, 0, "attempt_failed", step="a", status="retrying", next_step="a"),
        Moment(3, 0, "completed", step="a", status="running", next_step="a"),
        Moment(4, 0, "timed_out", status="running", next_step="b"),
    )
    taken, at = workflow_code.path_of(WorkflowView(row, moments=moments))
    assert taken == (("start()", "a"), ("a", "a"), ("timeout", "b"))
    assert at == "b"
