"""What if: answers as if a file were recorded, and nothing written anywhere."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from ledger import errors
from tests.conftest import CommandLine

DAY, PLACE = "2025-12-16", "Kupyansk"

Line = dict[str, Any]


def claimed(claimant: str, state: str, day: str = DAY, **more: Any) -> Line:
    said = {"claimant": claimant, "place": PLACE, "state": state, "valid": day, "published": day}
    return {"type": "claim-reported", **said, **more}


DENIAL = claimed("ГЕНШТАБ ЗСУ", "RU", act="denies", place="Купянск")
REPORTER = {"type": "source-registered", "source": "reporter", "body": {"names": ["A Reporter"]}}
FOOTAGE = {
    "type": "evidence-reported",
    "as": "film",
    "source": "A Reporter",
    "place": "kupiansk",
    "state": "RU",
    "extent": "whole",
    "valid": "2025-12-15",
    "published": "2025-12-15",
}
FILMED = [REPORTER, FOOTAGE, claimed("A Reporter", "RU", based_on=["&film"])]


@pytest.fixture
def wrote(tmp_path: Path):
    """Writes lines into a file."""

    def write(*lines: Line | str, name: str = "what.jsonl") -> Path:
        path = tmp_path / name
        texts = [line if isinstance(line, str) else json.dumps(line, ensure_ascii=False) for line in lines]
        path.write_text("".join(f"{text}\n" for text in texts), "utf-8")
        return path

    return write


def files_in(folder: Path) -> dict[Path, tuple[int, bytes]]:
    """Every file with its time of change and its bytes."""
    found = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in found}


def believed(claims: CommandLine, db: Path, *words: object, day: str = DAY) -> dict[str, Any]:
    [answer] = claims("as-of", day, PLACE, *words, db=db)["answers"]
    return answer


def plain(answer: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in answer.items() if name not in ("change", "hypothetical")}


# -- what it answers -------------------------------------------------------------------------------------


def test_a_hypothetical_denial_changes_the_probability_and_says_that_it_is_one(claims, demo, wrote) -> None:
    what = wrote(DENIAL)
    real = claims("as-of", DAY, PLACE, db=demo)
    answer = claims("as-of", DAY, PLACE, "--with", what, db=demo)
    assert answer["hypothetical"] is True
    assert answer["with"] == [{"file": str(what), "events": 1}]
    assert {name: answer[name] for name in ("position", "root", "recorded_by", "known_by", "logic")} == {
        name: real[name] for name in ("position", "root", "recorded_by", "known_by", "logic")
    }
    [was], [now] = real["answers"], answer["answers"]
    assert now["claims"] == was["claims"] + 1
    assert now["change"]["RU"] < 0 < now["change"]["UA"]
    for state, p in was["probabilities"].items():
        assert now["probabilities"][state] - p == pytest.approx(now["change"][state], abs=1e-9)


@pytest.mark.parametrize(
    "lines",
    [
        [DENIAL],
        FILMED,
        [*FILMED, {"type": "evidence-voided", "target": "&film", "ruled": DAY}],
        [{"type": "state-ruled", "place": PLACE, "state": "RU", "valid": DAY, "ruled": DAY}],
        [{"type": "sources-linked", "sources": ["Putin", "Gerasimov", "ru-mod"]}],
        [{"type": "place-merged", "place": "geonames:705175", "into": PLACE}],
        [{"type": "source-merged", "source": "Podolyaka", "into": "Rybar"}],
    ],
)
def test_the_answer_is_the_one_that_importing_the_file_would_give(claims, copied, wrote, lines) -> None:
    what = wrote(*lines)
    supposed = [believed(claims, copied, "--with", what, day=day) for day in (DAY, "2025-12-25")]
    changes = differing(claims, copied, what)
    claims("import", what, db=copied)
    for day, one in zip((DAY, "2025-12-25"), supposed, strict=True):
        real = believed(claims, copied, day=day)
        assert one["probabilities"] == pytest.approx(real["probabilities"], abs=1e-9)
        one["notes"] = [note for note in one["notes"] if not note.startswith("the hypothetical events")]
        assert {**plain(one), "probabilities": 0} == {**plain(real), "probabilities": 0}
    for change in changes["changes"]:
        [real] = claims("as-of", change["day"], change["place"]["id"], db=copied)["answers"]
        assert change["after"] == pytest.approx(real["probabilities"], abs=1e-9)


def differing(claims: CommandLine, db: Path, what: Path) -> dict[str, Any]:
    """What a diff says, whether there are differences or not."""
    try:
        return claims("diff", "--with", what, db=db)
    except AssertionError:
        return claims("diff", "--with", what, db=db, ok=errors.DIFFERENT)


def test_taking_back_the_only_claim_of_a_source_equals_leaving_the_source_out(
    claims, demo, wrote, entries
) -> None:
    target = entries["r12-ganchev-whole"]
    what = wrote(
        {"type": "entry-retracted", "target": target, "source": "Ganchev", "published": "2025-12-08"}
    )
    without = believed(claims, demo, "--without", "Ganchev")
    supposed = believed(claims, demo, "--with", what)
    assert supposed["probabilities"] == pytest.approx(without["probabilities"], abs=1e-9)
    assert supposed["change"] == pytest.approx(without["change"], abs=1e-9)
    assert any(supposed["change"].values())


def test_with_and_without_together_are_held_against_neither(claims, demo, wrote) -> None:
    what = wrote(claimed("reporter", "RU"), name="b.jsonl")
    first = wrote(REPORTER, name="a.jsonl")
    real = believed(claims, demo)
    both = believed(claims, demo, "--with", first, "--with", what, "--without", "kind:milblogger")
    for state, p in real["probabilities"].items():
        assert both["probabilities"][state] - p == pytest.approx(both["change"][state], abs=1e-9)
    reported = believed(claims, demo, "--with", first, "--with", what, "--without", "A Reporter")
    assert not any(reported["change"].values())


def test_why_says_which_lines_are_hypothetical(claims, demo, wrote, entries) -> None:
    taken = entries["r12-ganchev-whole"]
    retraction = {"type": "entry-retracted", "target": taken, "source": "Ganchev", "published": DAY}
    answer = claims("why", DAY, PLACE, "--with", wrote(*FILMED, retraction), db=demo)
    lines = [line for name in ("for", "against", "ignored") for line in answer[name]]
    marked = {line["claimant"] for line in lines if line.get("hypothetical")}
    assert marked == {"reporter"}
    assert all("hypothetical" in line["reason"] for line in lines if line["claimant"] == "reporter")
    [gone] = [line for line in lines if line["utterance"] == taken]
    assert gone["hypothetical"] is False and "changed by a hypothetical event" in gone["reason"]
    assert answer["hypothetical"] is True and any(answer["answer"]["change"].values())
    assert answer["total"] == pytest.approx(
        answer["prior"]
        + answer["staleness"]
        + sum(line["weight"] for name in ("for", "against") for line in answer[name]),
        abs=1e-8,
    )


def test_a_hypothetical_report_of_a_real_utterance_is_told_from_a_hypothetical_utterance(
    claims, demo, wrote
) -> None:
    again = claimed("Ganchev", "RU", "2025-12-08", said="2025-12-08", via=["ria"])
    answer = claims("why", DAY, PLACE, "--with", wrote(again), db=demo)
    [line] = [line for name in ("for", "against") for line in answer[name] if line["claimant"] == "ganchev"]
    assert line["hypothetical"] is True and "among others" in line["reason"]


def test_diff_names_the_hypothetical_claims_behind_each_change(claims, demo, wrote) -> None:
    answer = claims("diff", "--with", wrote(*FILMED), db=demo, ok=errors.DIFFERENT)
    assert answer["hypothetical"] is True and answer["from"]["with"] == []
    assert answer["to"]["with"] == answer["with"] and answer["with"][0]["events"] == 3
    assert PLACE in {change["place"]["name"] for change in answer["changes"]}
    named = [claim for change in answer["changes"] for claim in change["claims"]]
    assert {claim["claimant"] for claim in named if claim["hypothetical"]} == {"reporter"}
    for change in answer["changes"]:
        parts = [change[name] for name in ("prior", "staleness", "remainder")]
        parts += [claim["change"] for claim in change["claims"]] + [change["others"]["change"]]
        assert sum(parts) == pytest.approx(change["log_odds"]["change"], abs=1e-8)


def test_diff_with_is_the_mirror_of_recording_it_and_diff_without(claims, copied, wrote) -> None:
    what = wrote(*FILMED)
    supposed = claims("diff", "--with", what, db=copied, ok=errors.DIFFERENT)
    claims("import", what, db=copied)
    left_out = claims("diff", "--without", "A Reporter", db=copied, ok=errors.DIFFERENT)
    assert len(supposed["changes"]) == len(left_out["changes"]) > 1
    for one, other in zip(supposed["changes"], left_out["changes"], strict=True):
        for name in ("place", "from_day", "to_day", "days", "day"):
            assert one[name] == other[name]
        assert one["difference"] == pytest.approx(other["difference"], abs=1e-9)
        assert (one["from"], one["to"]) == (other["to"], other["from"])
        assert one["before"] == pytest.approx(other["after"], abs=1e-9)
        assert one["after"] == pytest.approx(other["before"], abs=1e-9)
    assert supposed["totals"]["place_days"] == left_out["totals"]["place_days"]


def test_diff_leaves_a_source_out_on_both_sides(claims, demo, wrote) -> None:
    what = wrote(*FILMED)
    left = claims("diff", "--with", what, "--without", "A Reporter", db=demo)
    assert left["changes"] == [] and left["sources"] == []
    assert left["without"] == ["A Reporter"]


def test_places_and_questions_that_only_the_file_knows_can_be_asked_about(claims, demo, wrote) -> None:
    what = wrote(
        {"type": "place-registered", "place": "own:mill", "names": ["The Mill"], "kind": "village"},
        {"type": "question-opened", "question": "bridge", "states": ["standing", "down"]},
        claimed("tass", "RU", place="The Mill"),
        claimed("tass", "down", place="The Mill", question="bridge"),
    )
    [mill] = claims("as-of", DAY, "The Mill", "--with", what, db=demo)["answers"]
    assert mill["believed"] == "RU" and mill["change"]["RU"] > 0
    [bridge] = claims("as-of", DAY, "The Mill", "--question", "bridge", "--with", what, db=demo)["answers"]
    assert bridge["believed"] == "down"
    assert bridge["change"] == pytest.approx(
        {"standing": -bridge["change"]["down"], "down": bridge["change"]["down"]}
    )
    claims.run("as-of", DAY, "The Mill", db=demo, ok=errors.UNKNOWN)
    answer = claims("diff", "--with", what, "--place", "The Mill", db=demo, ok=errors.DIFFERENT)
    assert answer["changes"][0]["from"] == "unknown" and answer["changes"][0]["to"] == "RU"


def test_a_correction_is_called_hypothetical_and_not_by_a_number_that_nothing_has(
    claims, demo, wrote, entries
) -> None:
    changes = {"valid": "2025-12-20", "published": "2025-12-20", "said": "2025-12-20"}
    what = wrote({"type": "entry-corrected", "target": entries["r12-ganchev-whole"], "changes": changes})
    notes = believed(claims, demo, "--with", what)["notes"]
    assert any(note.startswith("a hypothetical correction removed c-") for note in notes)
    last = claims("as-of", DAY, PLACE, db=demo)["position"]
    assert not any(f"#{last + 1}" in note for note in notes)


def test_a_name_is_looked_up_after_the_lines_before_it_and_a_label_after_its_own(claims, demo, wrote) -> None:
    told = claimed("tass", "contested", **{"as": "mine"})
    taken = {"type": "entry-retracted", "target": "&mine", "source": "TASS", "published": DAY}
    assert any(believed(claims, demo, "--with", wrote(told))["change"].values())
    answer = believed(claims, demo, "--with", wrote(told, taken))
    assert not any(answer["change"].values())


def test_standard_input_can_be_supposed(claims, demo) -> None:
    answer = claims("as-of", DAY, PLACE, "--with", "-", db=demo, stdin=json.dumps(DENIAL))
    assert answer["with"] == [{"file": "-", "events": 1}]
    assert any(answer["answers"][0]["change"].values())


@pytest.mark.parametrize("form", ["table", "csv", "jsonl"])
def test_every_form_of_the_answer_says_that_it_is_hypothetical(claims, demo, wrote, form) -> None:
    what = wrote(*FILMED)
    for words in (["as-of", DAY, PLACE], ["why", DAY, PLACE]):
        said = claims.run(*words, "--with", what, "--format", form, db=demo)
        assert "hypothetical" in said.out
    assert "hypothetical" not in claims.run("as-of", DAY, PLACE, "--format", form, db=demo).out


# -- what changes nothing ----------------------------------------------------------------------------------


def test_what_becomes_known_after_the_day_changes_nothing_on_it(claims, demo, wrote) -> None:
    what = wrote(claimed("Rybar", "UA", "2025-12-17"), claimed("Rybar", "UA", "2025-12-19"))
    answer = believed(claims, demo, "--with", what)
    assert not any(answer["change"].values())
    assert "the hypothetical events change nothing here: 2 of 2 are known only later" in answer["notes"]
    assert any(believed(claims, demo, "--with", what, "--known-by", "2025-12-20")["change"].values())


def test_what_has_no_date_is_known_now_and_no_sooner(claims, demo, wrote) -> None:
    what = wrote({"type": "claim-reported", "claimant": "Rybar", "place": PLACE, "state": "UA"})
    assert not any(believed(claims, demo, "--with", what)["change"].values())
    assert any(believed(claims, demo, "--with", what, day="today")["change"].values())


@pytest.mark.parametrize("text", ["", "\n\n  \n"])
def test_an_empty_file_is_noted_and_changes_nothing(claims, demo, wrote, text) -> None:
    what = wrote(text)
    real, notes = believed(claims, demo), believed(claims, demo, day="2025-12-15")["notes"]
    assert any("display was last observed" in note for note in notes)
    said = claims.run("as-of", DAY, PLACE, "--with", what, "--json", db=demo)
    assert said.err == f"note: {what}: there is no event in it\n"
    [answer] = said.json["answers"]
    assert plain(answer) == plain(real) and not any(answer["change"].values())
    assert believed(claims, demo, "--with", what, day="2025-12-15")["notes"] == notes
    assert said.json["with"] == [{"file": str(what), "events": 0}]
    assert claims("diff", "--with", what, db=demo)["changes"] == []


def test_what_is_recorded_already_is_noted_and_changes_nothing(claims, copied, wrote) -> None:
    what = wrote(*FILMED)
    claims("import", what, db=copied)
    said = claims.run("as-of", DAY, PLACE, "--with", what, "--json", db=copied)
    assert said.err == f"note: {what}: 3 of its events are recorded already\n"
    assert said.json["with"][0]["events"] == 0
    assert not any(said.json["answers"][0]["change"].values())


def test_what_is_said_of_another_place_changes_nothing_here(claims, demo, wrote) -> None:
    answer = believed(claims, demo, "--with", wrote(claimed("Rybar", "RU", place="Lyman, Donetsk Oblast")))
    assert not any(answer["change"].values())
    assert "the hypothetical events change nothing here" in answer["notes"]


def test_where_many_places_are_asked_about_only_the_change_says_that_nothing_changes(
    claims, demo, wrote
) -> None:
    answers = claims("as-of", DAY, "--with", wrote(DENIAL), db=demo)["answers"]
    assert [one["place"]["name"] for one in answers if any(one["change"].values())] == [PLACE]
    assert not any(note.startswith("the hypothetical") for one in answers for note in one["notes"])


def test_why_says_that_nothing_changes(claims, demo, wrote) -> None:
    answer = claims("why", DAY, PLACE, "--with", wrote(claimed("Rybar", "UA", "2025-12-19")), db=demo)
    assert any("1 of 1 are known only later" in note for note in answer["answer"]["notes"])


def test_a_source_that_says_nothing_grades_nobody_otherwise(claims, demo, wrote) -> None:
    answer = claims("diff", "--with", wrote(REPORTER), db=demo)
    assert answer["changes"] == [] and answer["sources"] == []


# -- what is written: nothing ----------------------------------------------------------------------------


def test_neither_the_ledger_nor_its_views_are_touched(claims, copied, wrote) -> None:
    what = wrote(*FILMED)
    claims("as-of", DAY, PLACE, db=copied)
    before = files_in(copied.parent)
    for words in (["as-of", DAY], ["as-of", DAY, PLACE], ["why", DAY, PLACE]):
        claims(*words, "--with", what, db=copied)
    claims("diff", "--with", what, db=copied, ok=errors.DIFFERENT)
    assert files_in(copied.parent) == before
    assert not any(event.get("source") == "reporter" for event in claims("log", db=copied)["events"])


def test_views_that_are_behind_stay_behind(claims, copied, wrote) -> None:
    claims("as-of", DAY, PLACE, db=copied)
    claims.run("append", PLACE, "RU", "--by", "Rybar", "--published", DAY, db=copied)
    what = wrote(*FILMED)
    before = files_in(copied.parent)
    supposed = believed(claims, copied, "--with", what)
    answer = claims("diff", "--with", what, db=copied, ok=errors.DIFFERENT)
    assert files_in(copied.parent) == before
    claims("import", what, db=copied)
    assert supposed["probabilities"] == pytest.approx(believed(claims, copied)["probabilities"], abs=1e-9)
    change = answer["changes"][0]
    [on] = claims("as-of", change["day"], change["place"]["id"], db=copied)["answers"]
    assert change["after"] == pytest.approx(on["probabilities"], abs=1e-9)


def test_views_that_are_not_there_are_not_made(claims, copied, wrote) -> None:
    what, views = wrote(*FILMED), copied.with_name(f"{copied.name}.views")
    expected = believed(claims, copied, "--with", what)
    shutil.rmtree(views)
    assert believed(claims, copied, "--with", what) == expected
    claims("diff", "--with", what, db=copied, ok=errors.DIFFERENT)
    assert not views.exists()


def test_damaged_views_are_left_as_they_are_and_not_believed(claims, copied, wrote) -> None:
    what, views = wrote(*FILMED), copied.with_name(f"{copied.name}.views")
    expected = believed(claims, copied, "--with", what)
    for path in views.glob("*@*.db"):
        path.write_bytes(b"SQLite format 3\x00" + bytes(range(256)) * 64)
    before = files_in(copied.parent)
    assert believed(claims, copied, "--with", what) == expected
    claims("diff", "--with", what, db=copied, ok=errors.DIFFERENT)
    assert files_in(copied.parent) == before


def test_a_ledger_that_nothing_can_be_written_beside_is_enough(claims, copied, wrote) -> None:
    copied.chmod(0o444)
    nowhere = {"CLAIMS_VIEWS": "/dev/null/views"}
    what = wrote(*FILMED)
    [answer] = claims("as-of", DAY, PLACE, "--with", what, db=copied, **nowhere)["answers"]
    assert any(answer["change"].values())
    claims("why", DAY, PLACE, "--with", what, db=copied, **nowhere)
    claims("diff", "--with", what, db=copied, ok=errors.DIFFERENT, **nowhere)


@pytest.mark.parametrize("good", [True, False])
def test_the_temporary_folder_is_empty_afterwards(script, demo, wrote, tmp_path, good) -> None:
    folder = tmp_path / "temporary"
    folder.mkdir()
    what = wrote(*FILMED) if good else wrote(*FILMED, "{")
    code = 0 if good else errors.REJECTED
    script.run("as-of", DAY, PLACE, "--with", what, db=demo, ok=code, TMPDIR=str(folder))
    script.run("diff", "--with", what, db=demo, ok=errors.DIFFERENT if good else code, TMPDIR=str(folder))
    assert list(folder.iterdir()) == []


# -- what is refused ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("{", "not JSON"),
        ("[1, 2]", "no JSON object"),
        ('{"type": "claim-reported", "type": "x"}', "twice"),
        ('{"state": "RU"}', 'no "type"'),
        ({"type": "claim-denied"}, "no event type"),
        ({"type": "ledger-opened", "ledger": "mine"}, "claims init"),
        ({"type": "logic-promoted"}, "claims replay --promote"),
        ({"type": "entry-redacted", "target": "c-0"}, "claims redact"),
        (claimed("nobody-at-all", "RU"), "nobody-at-all"),
        (claimed("tass", "RU", place="Radkivka"), "Use the id"),
        (claimed("tass", "RU", place="Nowhere"), "Nowhere"),
        (claimed("tass", "XX"), "XX"),
        (claimed("tass", "RU", day="2025-02-30"), "2025-02-30"),
        (claimed("tass", "RU", based_on=["&missing"]), "labelled 'missing'"),
        (claimed("tass", "RU", recorded="2020-01-01"), "no field 'recorded'"),
        ({"type": "entry-retracted", "target": "c-" + "0" * 32, "source": "tass"}, "no entry"),
        ({"type": "source-registered", "source": "tass", "body": {"names": ["Another"]}}, "other content"),
        ("\u202e{}", "not JSON"),
    ],
)
@pytest.mark.parametrize("words", [["as-of", DAY, PLACE], ["why", DAY, PLACE], ["diff"]])
def test_a_line_that_cannot_be_meant_is_named_and_nothing_is_answered(
    claims, copied, wrote, words, line, what
) -> None:
    file = wrote(DENIAL, "", line, claimed("Rybar", "UA"))
    before = files_in(copied.parent)
    said = claims.run(*words, "--with", file, db=copied, ok=errors.REJECTED)
    assert said.out == "" and said.err.count("\n") == 1
    assert said.err.startswith(f"claims: {file}:3: nothing was supposed: ") and what in said.err
    assert "\u202e" not in said.err
    assert files_in(copied.parent) == before


def test_the_first_of_several_bad_lines_is_named_and_the_others_are_counted(claims, demo, wrote) -> None:
    lines = [claimed("nobody", "RU", **{"as": "n"}), DENIAL, "{", claimed("tass", "RU", target="&n")]
    said = claims.run("as-of", DAY, PLACE, "--with", wrote(*lines), db=demo, ok=errors.REJECTED)
    assert ":1: nothing was supposed, for this and 2 more lines: no source 'nobody'" in said.err


def test_a_bad_second_file_takes_the_first_with_it(claims, demo, wrote) -> None:
    good, bad = wrote(DENIAL, name="good.jsonl"), wrote("{", name="bad.jsonl")
    said = claims.run("as-of", DAY, PLACE, "--with", good, "--with", bad, db=demo, ok=errors.REJECTED)
    assert said.out == "" and f"{bad}:1: " in said.err


def test_labels_do_not_reach_from_one_file_into_another(claims, demo, wrote) -> None:
    first = wrote(*FILMED[:2], name="first.jsonl")
    second = wrote(FILMED[2], name="second.jsonl")
    said = claims.run("as-of", DAY, PLACE, "--with", first, "--with", second, db=demo, ok=errors.REJECTED)
    assert "no line before this one is labelled 'film'" in said.err


@pytest.mark.parametrize(
    ("content", "what"),
    [(b"\x1f\x8b\x08\x00", "gzip"), (b"SQLite format 3\x00", "SQLite"), (b"PK\x03\x04", "zip")],
)
def test_a_packed_file_is_not_read(claims, demo, tmp_path, content, what) -> None:
    packed = tmp_path / "packed.jsonl"
    packed.write_bytes(content)
    said = claims.run("as-of", DAY, PLACE, "--with", packed, db=demo, ok=errors.USAGE)
    assert what in said.err and said.out == ""


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["--with", "missing.jsonl"], "cannot be read"),
        (["--with", "."], "cannot be read"),
        (["--with", "-", "--with", "-"], "given twice"),
    ],
)
@pytest.mark.parametrize("command", ["as-of", "why"])
def test_words_that_do_not_fit_together_are_refused(claims, demo, command, words, what) -> None:
    said = claims.run(command, DAY, PLACE, *words, db=demo, ok=errors.USAGE)
    assert said.out == "" and what in said.err and said.err.count("\n") == 1


@pytest.mark.parametrize("cut", ["#100", "2030-01-01"])
def test_a_ledger_that_is_cut_has_no_place_for_what_is_supposed(claims, demo, wrote, cut) -> None:
    words = ("--with", wrote(DENIAL), "--recorded-by", cut)
    said = claims.run("as-of", DAY, PLACE, *words, db=demo, ok=errors.USAGE)
    assert said.out == "" and "contradict" in said.err


@pytest.mark.parametrize("words", [["2025-12-01..2025-12-31"], ["--logic", "tally..tally@1"]])
def test_a_diff_compares_one_thing_at_a_time(claims, demo, wrote, words) -> None:
    said = claims.run("diff", *words, "--with", wrote(DENIAL), db=demo, ok=errors.USAGE)
    assert "claims diff --with FILE.jsonl" in said.err


def test_other_states_cannot_be_compared_but_asked_about(claims, demo, wrote) -> None:
    what = wrote({"type": "party-named", "party": "XX", "name": "Third"}, claimed("Rybar", "XX"))
    said = claims.run("diff", "--with", what, db=demo, ok=errors.USAGE)
    assert "changes the states" in said.err
    assert believed(claims, demo, "--with", what)["change"]["XX"] > 0
