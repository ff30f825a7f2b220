"""The one door for logics and projections: named ones, and a file of one's own."""

from __future__ import annotations

import ast
import os
from pathlib import Path

import pytest

import projections
from ledger.errors import ReplayDue, UnknownName, Usage
from projections.belief.params import Params
from projections.registry import _CODE, fingerprint, installed, load
from tests.projections.worlds import ZERO, Scribe, World, claim

ROOT = Path(projections.__file__).parent.parent

OWN = """
from projections import Logic

def weigh(piece, source):
    return {factor}

logic = Logic("own", version=1, weigh=weigh)
"""


@pytest.fixture
def written(tmp_path):
    def write(text: str, name: str = "own.py") -> str:
        path = tmp_path / name
        path.write_text(text)
        return str(path)

    return write


# -- names ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spec", [None, "tally", "tally@1"])
def test_the_default_is_tally(spec) -> None:
    assert load(spec).logic.id == "tally@1"


@pytest.mark.parametrize("spec", ["tally@2", "mystery", "tally@", "@1"])
def test_an_unknown_logic_is_refused_with_the_known_ones(spec) -> None:
    if spec == "tally@":
        assert load(spec).logic.id == "tally@1"
        return
    with pytest.raises(UnknownName, match="tally@1"):
        load(spec)


def test_our_own_logics_come_through_the_entry_points() -> None:
    assert "tally@1" in [logic.id for logic in installed()]


# -- a file ---------------------------------------------------------------------------------------------------


def test_a_file_with_one_logic_is_that_logic(written) -> None:
    loaded = load(written(OWN.format(factor=1)))
    assert loaded.logic.id == "own@1"
    assert loaded.file.name == "own.py"
    assert loaded.projections == ()


def test_a_file_with_several_logics_is_asked_about(written) -> None:
    text = OWN.format(factor=1) + 'other = Logic("other", version=1)\n'
    path = written(text)
    with pytest.raises(Usage, match=r"own@1, other@1.*own.py:own"):
        load(path)
    assert load(f"{path}:other").logic.id == "other@1"
    assert load(f"{path}:own@1").logic.id == "own@1"
    with pytest.raises(UnknownName, match="It defines: own@1, other@1"):
        load(f"{path}:third")


def test_one_logic_under_two_names_is_one(written) -> None:
    assert load(written(OWN.format(factor=1) + "alias = logic\n")).logic.id == "own@1"


def test_logics_that_a_file_only_imports_are_not_its_own(written) -> None:
    assert (
        load(written(OWN.format(factor=1) + "from projections.belief.tally import TALLY\n")).logic.id
        == "own@1"
    )


def test_a_file_with_projections_only_is_read_under_the_default_logic(written) -> None:
    text = "from collections import Counter\nfrom projections import Projection\n"
    loaded = load(written(text + 'counts = Projection("counts", version=3, initial=Counter)\n'))
    assert loaded.logic.id == "tally@1"
    assert loaded.fingerprint == load().fingerprint
    assert [one.id for one in loaded.projections] == ["counts@3"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "neither a Logic nor a Projection"),
        ("logic = 1\n\nthis is no python\n", r"own.py:3: SyntaxError"),
        ("\nimport no_such_module_at_all\n", r"own.py:2: ModuleNotFoundError"),
        ("x = 1\ny = 1 / 0\n", r"own.py:2: ZeroDivisionError"),
        ("import sys\nsys.exit(0)\n", r"own.py:2: SystemExit"),
        ("from projections import Logic, Params\nLogic('a', 1, Params(copy_rate=7))\n", "copy_rate"),
        ("from projections import Logic\nlogic = Logic('tally', 1, weigh=lambda p, s: 1)\n", "is taken"),
        ("from projections import Logic\nlogic = Logic('../escape', 1)\n", "is no name"),
        ("from projections import Logic\nlogic = Logic('new\\nline', 1)\n", "is no name"),
        ("from projections import Projection\nview = Projection('record', initial=int)\n", "is taken"),
    ],
    ids=["empty", "syntax", "import", "raises", "exits", "parameters", "taken", "path", "line", "record"],
)
def test_a_file_that_cannot_be_used_says_what_and_where(written, text, said) -> None:
    with pytest.raises(Usage, match=said):
        load(written(text))


def test_a_file_that_is_not_there_is_refused(tmp_path) -> None:
    with pytest.raises(Usage, match="no logic file"):
        load(str(tmp_path / "nowhere.py"))


def test_a_file_that_is_no_text_is_refused(tmp_path) -> None:
    (tmp_path / "own.py").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(Usage, match="SyntaxError"):
        load(str(tmp_path / "own.py"))


# -- fingerprints ---------------------------------------------------------------------------------------------


def test_what_runs_is_what_the_fingerprint_says(written) -> None:
    path = Path(written(OWN.format(factor=1)))
    moment = path.stat().st_mtime_ns
    first = load(str(path))
    path.write_text(OWN.format(factor=2))
    os.utime(path, ns=(moment, moment))
    second = load(str(path))
    assert first.fingerprint != second.fingerprint
    assert (first.logic.weigh(None, None), second.logic.weigh(None, None)) == (1, 2)
    assert not list(path.parent.glob("__pycache__"))


def test_a_fingerprint_depends_on_the_bytes_and_the_parameters_and_not_on_the_path(written) -> None:
    one, same = load(written(OWN.format(factor=1))), load(written(OWN.format(factor=1), "elsewhere.py"))
    assert one.fingerprint == same.fingerprint
    turned = type(one.logic)("own", 1, params=Params(copy_rate=0.5))
    assert fingerprint(turned) != fingerprint(type(one.logic)("own", 1))


#: What the modules that decide beliefs import without leaving the decision to it.
_INDIFFERENT = {
    "ledger": "nothing but the docstring",
    "ledger.book": "hands over what is stored",
    "ledger.codec": "reads bytes; their shape is upcast's",
    "ledger.errors": "words",
    "ledger.events": "defaults never change",
    "ledger.integrity": "hashes",
    "ledger.integrity.tree": "hashes",
    "ledger.names": "spellings, for people",
    "ledger.phrases": "words of a user, resolved before they are recorded",
    "ledger.rules": "what may be recorded, not what is made of it",
    "ledger.store": "rows of bytes",
    "ledger.store.base": "rows of bytes",
    "ledger.text": "printing",
    "ledger.twins": "warnings at append",
    "ledger.vocabulary": "as phrases",
    "ledger.wording": "as phrases",
    "projections": "the façade",
    "projections.belief": "nothing",
    "projections.wording": "how a belief is put into words",
}


def _imports(name: str) -> set[str]:
    """Modules of ours that a module of ours imports."""
    path = ROOT.joinpath(*name.split("."))
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        found.update(one for one in names if _is_ours(one))
    return found


def _is_ours(name: str) -> bool:
    path = ROOT.joinpath(*name.split("."))
    return name.startswith(("ledger", "projections")) and (path.is_dir() or path.with_suffix(".py").is_file())


def test_every_module_that_decides_a_belief_is_in_the_fingerprint() -> None:
    deciding = {name.removesuffix(".py").replace("/", ".") for name in _CODE}
    reached = set().union(*(_imports(name) for name in deciding))
    assert reached - deciding - _INDIFFERENT.keys() == set()


# -- in use ---------------------------------------------------------------------------------------------------


@pytest.fixture
def scribe(tmp_path):
    with Scribe(tmp_path / "book.db") as scribe:
        yield scribe.tell(World.of(claim("witness", "UA", 1, "kept"), claim("ministry", "RU", 2, "odd")).told)


def test_an_edited_file_is_due_for_a_replay(scribe, written) -> None:
    path = written(OWN.format(factor=1))
    with scribe.desk(logic=path) as desk:
        assert desk.beliefs.knot("town", "control", ZERO + 5).claims == 2
    written(OWN.format(factor=0))
    with scribe.desk(logic=path) as desk:
        with pytest.raises(ReplayDue, match=r"claims replay --logic .*own.py"):
            _ = desk.beliefs
        beliefs = desk.views.beliefs(desk.loaded, desk.head, desk.directory, replay=True)
        assert beliefs.knot("town", "control", ZERO + 5).belief == ()


def test_a_file_that_raises_on_a_claim_is_quarantined_with_its_position(scribe, written) -> None:
    text = OWN.format(factor="1 / (piece.source != 'ministry')")
    with scribe.desk(logic=written(text)) as desk:
        assert desk.beliefs.knot("town", "control", ZERO + 5).claims == 1
        (bad,) = desk.beliefs.quarantined()
        assert bad.entry == scribe.ids["odd"]
        assert desk.ledger.event(bad.position).entry == bad.entry
        assert bad.error == "ZeroDivisionError: division by zero"


def test_logics_keep_views_side_by_side(scribe, written) -> None:
    paths = [written(OWN.format(factor=1)), None]
    for path in paths:
        with scribe.desk(logic=path) as desk:
            desk.beliefs.spots()
            stamps = desk.views.stamps()
    assert {one.logic for one in stamps} == {"own@1", "tally@1"}
