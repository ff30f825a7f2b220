"""The benches run from the command line and print what they promise; how fast is never tested."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from ledger.book import Ledger
from ledger.store.sqlite import schema as sqlite_schema
from tests.bench import __main__ as command
from tests.bench import belief, generator, growth, readme, stage

ROOT = Path(__file__).resolve().parent.parent
KEYS = ["bench", "row", "what", "claims", "seconds", "floor", "ratio", "per_second", "peak_rss_mb"]
#: Bench → how many figures it gives beside the line about the generator.
FIGURES = {
    "append": 3,
    "import": 1,
    "replay": 7,
    "asof": 5,
    "cli": 2,
    "memory": 1,
    "growth": 2,
    "integrity": 5,
}


def bench(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.bench", *arguments, "--dir", str(folder)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", FIGURES)
def test_a_bench_prints_a_list_of_figures_of_the_promised_shape(name: str, tmp_path: Path) -> None:
    done = bench(tmp_path, name, "--claims", "120", "--json")
    assert done.returncode == 0, done.stderr
    figures: list[dict[str, Any]] = json.loads(done.stdout)
    assert [list(figure) for figure in figures] == [KEYS] * (FIGURES[name] + 1)
    size = 1_200 if name == "growth" else 120
    assert {(figure["bench"], figure["claims"]) for figure in figures} == {(name, size)}
    rows = [figure["row"] for figure in figures if figure["row"]]
    assert {*rows} <= readme.ROWS.keys()
    assert len(rows) == FIGURES[name] - (name == "cli")
    about, *measured = figures
    assert f"seed {generator.SEED}" in about["what"]
    assert "median event" in about["what"]
    for figure in measured:
        assert figure["seconds"] > 0
        if figure["floor"] is not None:
            assert "floor: " in figure["what"]
            assert figure["ratio"] == pytest.approx(figure["seconds"] / figure["floor"], rel=0.01, abs=0.01)
    if name == "append":
        assert "0 errors, 0 lost" in measured[-1]["what"]
    assert not list(tmp_path.iterdir()), "temporary files were left behind"


def test_the_bench_of_many_workers_compares_one_with_two(tmp_path: Path) -> None:
    done = bench(tmp_path, "cluster", "--claims", "120", "--json")
    assert done.returncode == 0, done.stderr
    about, exported, two, one, far = json.loads(done.stdout)
    assert "hottest 5%" in about["what"]
    assert [figure["row"] for figure in (exported, two, one, far)] == [
        f"cluster-{name}" for name in ("export", "two", "one", "dask")
    ]
    assert (one["floor"], far["floor"]) == (two["seconds"], two["seconds"])
    assert all(figure["peak_rss_mb"] > 10 for figure in (one, two, far))
    assert not list(tmp_path.iterdir()), "temporary files were left behind"


def test_the_bench_of_a_server_compares_with_bare_work_on_it(tmp_path: Path) -> None:
    done = bench(tmp_path, "postgres", "--claims", "120", "--json")
    assert done.returncode == 0, done.stderr
    about, *measured = json.loads(done.stdout)
    assert f"seed {generator.SEED}" in about["what"]
    names = ("bulk", "read", "append", "append-eight", "import", "append-signed")
    assert [figure["row"] for figure in measured] == [f"postgres-{name}" for name in names]
    for figure in measured:
        assert "floor: " in figure["what"]
        assert figure["ratio"] == pytest.approx(figure["seconds"] / figure["floor"], rel=0.01, abs=0.01)
    assert "0 lost, 0 gaps in 480 events" in measured[3]["what"]
    assert not list(tmp_path.iterdir()), "temporary files were left behind"


@pytest.mark.parametrize(
    "arguments",
    [
        ["nothing"],
        ["append", "--claims", "few"],
        ["append", "--claims", "0"],
        ["all", "--claims", "1e6"],
        ["growth", "--claims", "2000000"],
        [],
    ],
)
def test_an_unknown_name_or_size_is_refused_in_one_line(arguments: list[str], tmp_path: Path) -> None:
    done = bench(tmp_path, *arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1


def test_what_is_known_before_a_bench_is_imported_is_what_it_says() -> None:
    assert list(belief.PARTS) == list(command.PARTS)
    assert growth.TIMES == command.TIMES
    for name in command.BENCHES:
        run, size = command._bench(name)
        assert callable(run)
        assert size >= 100


def test_without_json_a_table_is_printed(tmp_path: Path) -> None:
    done = bench(tmp_path, "import", "--claims", "100")
    assert done.returncode == 0, done.stderr
    heading, *lines = done.stdout.splitlines()
    assert heading.split()[:4] == ["bench", "claims", "seconds", "floor"]
    assert len(lines) == FIGURES["import"] + 1


def test_the_generator_gives_the_same_entries_for_the_same_seed_and_size() -> None:
    once, again = list(generator.entries(400)), list(generator.entries(400))
    assert once == again
    assert once != list(generator.entries(400, seed=1))
    assert sum(entry.name == "claim-reported" for entry in once) == 400


def test_the_generator_stays_in_order_of_publication_and_skews_towards_one_place() -> None:
    claims = [entry.data for entry in generator.entries(20_000) if entry.name == "claim-reported"]
    days = [claim["published"][:10] for claim in claims]
    assert days == sorted(days)
    hot = sum(
        claim["place"].startswith(generator.HOT) and claim["place"][11:12] in ("", "-") for claim in claims
    )
    assert hot / len(claims) == pytest.approx(generator.HOT_SHARE, rel=0.2)


def test_names_of_generated_places_are_all_different() -> None:
    names = [pair for rank in range(5_000) for pair in generator._names(rank)]
    assert len(set(names)) == len(names)


def test_every_generated_entry_is_new_to_the_ledger(tmp_path: Path) -> None:
    with stage.empty(tmp_path / "one.db") as ledger:
        receipts = ledger.append(list(generator.drafts(3_000)))
        assert {receipt.status for receipt in receipts} == {"new"}
        names = {recorded.name for recorded in ledger.events()}
    assert {"display-observed", "evidence-reported", "claim-adjudicated", "entry-corrected"} <= names


def test_a_ledger_is_built_to_the_same_bytes_twice(tmp_path: Path) -> None:
    roots = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        path = stage.Stage(tmp_path / name).ledger(200)
        with Ledger.open(path, readonly=True) as ledger:
            roots.append(ledger.store.head().root)
    assert roots[0] == roots[1]


def test_a_ledger_written_straight_into_its_tables_is_the_one_that_appending_makes(tmp_path: Path) -> None:
    appended, laid_down = tmp_path / "appended.db", stage.Stage(tmp_path).ledger(6_000)
    with stage.empty(appended) as ledger:
        for batch in stage.batched(generator.drafts(6_000)):
            ledger.append(batch)
    for table in sqlite_schema._TABLES | sqlite_schema._SINCE_2:
        rows = []
        keys = "WHERE name NOT IN ('signed', 'origins')" if table == "ledger_setting" else ""
        for path in (appended, laid_down):
            with closing(sqlite3.connect(path)) as raw:
                rows.append(raw.execute(f"SELECT * FROM {table} {keys} ORDER BY 1").fetchall())
        assert rows[0] == rows[1], table


def test_a_kept_ledger_is_built_once_and_is_still_there_afterwards(tmp_path: Path) -> None:
    kept, work = tmp_path / "kept", tmp_path / "work"
    for folder in (kept, work):
        folder.mkdir()
    for _ in range(2):
        done = bench(work, "asof", "--claims", "100", "--keep", str(kept))
        assert done.returncode == 0, done.stderr
    assert "building" not in done.stderr
    [ledger] = kept.glob("*.db")
    with Ledger.open(ledger, readonly=True) as book:
        assert book.store.head().size > 100


# -- the table in the README ------------------------------------------------------------------------------------


def test_the_table_in_the_readme_has_every_row() -> None:
    found = readme.parsed(readme.README.read_text(encoding="utf-8"))
    assert [one["what"] for one in found] == [what for what, *_ in readme.ROWS.values()]
    for one in found:
        assert list(one) == list(readme.HEADING)
        assert one["size"].endswith(" claims")
        assert float(one["measured"].split()[0].replace(",", "")) >= 0
        assert one["ratio"] == "-" or float(one["ratio"].replace(",", "")) > 0


def some(row: str, claims: int, seconds: float = 0.25) -> dict[str, Any]:
    one = {"bench": "x", "row": row, "what": "", "claims": claims, "seconds": seconds, "floor": 0.1}
    return one | {"ratio": seconds / 0.1, "per_second": 4_000.0, "peak_rss_mb": 200.0}


def test_the_table_is_written_from_figures_in_files_and_leaves_the_rest_alone(tmp_path: Path) -> None:
    target, listed, by_line = tmp_path / "README.md", tmp_path / "a.json", tmp_path / "b.json"
    target.write_text(f"# One\n\n{readme.BEGIN}\n{readme.END}\n\nmore\n", encoding="utf-8")
    listed.write_text(json.dumps([some(row, 1_000) for row in readme.ROWS]), encoding="utf-8")
    larger = [some("fold", 2_000_000, 0.5), some("import", 10)]
    by_line.write_text("".join(f"{json.dumps(one)}\n" for one in larger), encoding="utf-8")
    done = bench(tmp_path, "readme", "--from", str(listed), str(by_line), "--readme", str(target))
    assert done.returncode == 0, done.stderr
    text = target.read_text(encoding="utf-8")
    assert text.startswith("# One\n") and text.endswith(f"{readme.END}\n\nmore\n")
    assert "SQLite " + sqlite3.sqlite_version in text
    reach = {one["what"]: (one["size"], one["ratio"]) for one in readme.parsed(text)}
    assert reach[readme.ROWS["fold"][0]] == ("2,000,000 claims", "5.00")
    assert reach[readme.ROWS["import"][0]] == ("1,000 claims", "2.50")


def test_a_table_with_a_row_missing_is_not_written(tmp_path: Path) -> None:
    few = tmp_path / "few.json"
    few.write_text(json.dumps([some(row, 1_000) for row in readme.ROWS if row != "peak"]), encoding="utf-8")
    done = bench(tmp_path, "readme", "--from", str(few), "--readme", str(tmp_path / "none.md"))
    assert done.returncode == 1
    assert "none.md" in done.stderr
    target = tmp_path / "README.md"
    target.write_text(f"{readme.BEGIN}\n{readme.END}\n", encoding="utf-8")
    done = bench(tmp_path, "readme", "--from", str(few), "--readme", str(target))
    assert (done.returncode, "no figures for peak" in done.stderr) == (1, True)
