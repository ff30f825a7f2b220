"""A plain look-up is answered without the heavy libraries, and with the same bytes as by the whole machinery."""

from __future__ import annotations

import importlib
import io
import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import date
from functools import partial
from pathlib import Path
from unittest import mock

import pytest

from ledger.book import Draft, Ledger
from projections import cli, lookup, promotion
from projections.belief.labels import States
from projections.belief.motion import motion
from projections.belief.params import Params
from projections.desk import Desk
from tests.bench import generator, stage
from tests.copies import copy_ledger

HEAVY = {"numpy", "scipy", "numba", "pydantic", "eventsourcing", "rich", "typer", "orjson", "dataclasses"}
DAYS = ("2022-06-01", "2023-01-31", "2024-06-01", "2025-03-01", "2025-12-31")


def kept(path: Path) -> Path:
    """Bring the view of a ledger up to its head, with what look-ups need in it."""
    with Desk(path) as desk:
        view = desk.beliefs._view
        with view.transaction():
            envelopes = desk.views.envelopes(desk.head)
            corrected = partial(lookup.redated, desk.directory, envelopes)
            lookup.save(view.db, desk.loaded, desk.directory, corrected, desk.head)
    return path


@pytest.fixture(scope="module", autouse=True)
def _alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No settings of whoever runs this."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("CLAIMS_DB", "CLAIMS_LOGIC", "CLAIMS_FORMAT", "CLAIMS_VIEWS", "CLAIMS_LOCK_TIMEOUT"):
            patch.delenv(name, raising=False)
        patch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.mktemp("config")))
        yield


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return kept(stage.Stage(tmp_path_factory.mktemp("lookup")).ledger(1_000))


@pytest.fixture
def fresh(built: Path, tmp_path: Path) -> Path:
    """A copy that may be changed, its view caught up."""
    path = tmp_path / "fresh.db"
    copy_ledger(built, path)
    return kept(path)


def ask(path: Path, *words: str) -> bytes | None:
    return lookup.answer(["as-of", *words, "--db", str(path)])


def whole(path: Path, *words: str) -> bytes:
    """What the whole machinery prints."""
    raw = io.BytesIO()
    with mock.patch.object(sys, "stdout", io.TextIOWrapper(raw, encoding="utf-8")):
        assert cli.run(["as-of", *words, "--db", str(path)]) == 0
        sys.stdout.flush()
        return raw.getvalue()


def test_a_look_up_prints_the_same_bytes_as_the_whole_machinery(built: Path) -> None:
    with Ledger.open(built, readonly=True) as ledger:
        places = list(ledger.directory().places.values())
    answered = 0
    for n, place in enumerate(places):
        for day in (DAYS[n % len(DAYS)], DAYS[(n + 2) % len(DAYS)]):
            named = (place.id, place.name, f" {place.id} ")[n % 3]
            for words in ((day, named), ("--json", day, named, generator.HOT)):
                found = ask(built, *words)
                if found is not None:
                    answered += 1
                    assert found == whole(built, *words)
    assert answered > len(places)


def test_the_hot_place_is_looked_up(built: Path) -> None:
    found = ask(built, "2024-06-01", generator.HOT, "--json")
    assert found is not None
    assert json.loads(found)["answers"][0]["place"]["id"] == generator.HOT


def test_a_look_up_loads_none_of_the_heavy_libraries(built: Path) -> None:
    code = (
        "import sys; from projections.cli import run; assert run(sys.argv[1:], quick=True) == 0;"
        "print(*sys.modules, file=sys.stderr)"
    )
    call = ("as-of", "2024-06-01", generator.HOT, "--db", str(built))
    done = subprocess.run([sys.executable, "-c", code, *call], capture_output=True, text=True, check=True)
    assert not HEAVY & set(done.stderr.split())
    assert done.stdout.encode() == whole(built, *call[1:3])


def test_help_loads_no_command() -> None:
    code = (
        "import sys; from projections.cli import run; assert run(['--help']) == 0;"
        "print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stderr.split())
    assert not {"numpy", "pydantic", "eventsourcing", "ledger.commands", "projections.commands"} & loaded
    for name in cli.COMMANDS:
        assert f"  {name} " in done.stdout


def test_the_text_of_every_command_is_found_without_running_it() -> None:
    for path in cli.COMMANDS.values():
        name = path.rpartition(".")[2]
        assert cli._text_of(path, name) == getattr(importlib.import_module(path), name).__doc__


@pytest.mark.parametrize(
    "words",
    [
        ("2024-06-01",),
        ("2024-06", generator.HOT),
        ("2024-W01-1", generator.HOT),
        ("2024-02-30", generator.HOT),
        ("yesterday", generator.HOT),
        ("2024-06-01", "no such place"),
        ("2024-06-01", generator.HOT, "--known-by", "2024-07-01"),
        ("2024-06-01", generator.HOT, "--recorded-by", "#9"),
        ("2024-06-01", generator.HOT, "--format", "csv"),
        ("2024-06-01", generator.HOT, "--logic", "tally"),
        ("2024-06-01", generator.HOT, "--question", "unheard-of"),
        ("2024-06-01", generator.HOT, "--help"),
        ("2024-06-01", "--", generator.HOT),
        ("1914-06-01", generator.HOT),
    ],
)
def test_what_is_no_plain_look_up_is_left_to_the_whole_machinery(built: Path, words: tuple[str, ...]) -> None:
    assert ask(built, *words) is None


def _append(path: Path, *drafts: Draft) -> None:
    with Ledger.open(path) as ledger:
        ledger.append(list(drafts))


def _promote(path: Path) -> None:
    data = {"logic": "tally", "version": 1, "fingerprint": "0" * 64, "at_position": 1}
    _append(path, Draft.of("logic-promoted", data))


def _name_a_party(path: Path) -> None:
    _append(path, Draft.of("party-named", {"party": "THIRD"}))


def _choke(path: Path) -> None:
    _view(path, "INSERT INTO choked VALUES ('a', 'control', 1, 'c-1', 'ValueError')")


def _other_code(path: Path) -> None:
    _view(path, "UPDATE meta SET value = json_set(value, '$.code', 'other') WHERE name = 'lookup'")


def _other_fingerprint(path: Path) -> None:
    _view(path, "UPDATE meta SET value = 'other' WHERE name = 'fingerprint'")


def _redate(path: Path) -> None:
    _view(path, f"INSERT INTO redated VALUES ('{generator.HOT}')")


def _damage(path: Path) -> None:
    _view(path, "UPDATE spot SET data = x'00'")


def _drop_a_trigger(path: Path) -> None:
    with sqlite3.connect(path) as raw:
        raw.execute("DROP TRIGGER stored_events_no_update")


def _view(path: Path, statement: str) -> None:
    [view] = Path(f"{path}.views").glob("tally@*.db")
    with sqlite3.connect(view) as raw:
        raw.execute(statement)


@pytest.mark.parametrize(
    "spoil",
    [_promote, _name_a_party, _choke, _other_code, _other_fingerprint, _redate, _damage, _drop_a_trigger],
)
def test_what_does_not_fit_is_left_to_the_whole_machinery(fresh: Path, spoil: Callable[[Path], None]) -> None:
    assert ask(fresh, "2024-06-01", generator.HOT) is not None
    spoil(fresh)
    assert ask(fresh, "2024-06-01", generator.HOT) is None


def test_a_source_whose_name_was_erased_is_not_named(fresh: Path) -> None:
    with sqlite3.connect(fresh) as raw:
        raw.execute("DELETE FROM ledger_body")
    found = ask(fresh, "2024-06-01", generator.HOT)
    assert found is None or b"Map No" not in found


def test_promotions_stand_where_a_look_up_looks_for_them() -> None:
    assert promotion.STREAM == "logic"


def test_another_distribution_s_logics_end_the_look_ups(
    fresh: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "theirs-1.dist-info").mkdir()
    announced = tmp_path / "theirs-1.dist-info" / "entry_points.txt"
    announced.write_text("[claim_ledger.logics]\ntally = theirs:TALLY\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert ask(fresh, "2024-06-01", generator.HOT) is None


@pytest.mark.parametrize(
    "states",
    [States.control(("A", "B")), States.control(("A", "B", "C")), States(("x", "y")), States(("x",))],
)
def test_a_belief_is_carried_as_by_the_motion(states: States) -> None:
    basis = json.loads(json.dumps(lookup.saved_bases({"q": states}, Params())))["q"]
    belief = [1.0 / (n + 2) for n in range(len(states))]
    for days in (0, 1, 7, 64, 65, 400, 20_000):
        theirs = motion(states, Params()).forward([p / sum(belief) for p in belief], days)
        assert lookup.carry(basis, belief, days) == pytest.approx(theirs, rel=0, abs=1e-12)


def test_a_day_is_a_day() -> None:
    assert lookup._EPOCH.toordinal() == date(1970, 1, 1).toordinal()
