"""``claims diff``: what two logics, two knowledge times, or some sources make different."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from ledger.commands import common
from ledger.errors import DIFFERENT, BadDate, Usage
from projections import compare
from projections.commands import common as asking
from projections.desk import Desk, day_range
from projections.registry import load

COLUMNS = ("place", "from_day", "to_day", "from", "to", "before", "after", "because")
#: What a table has no room for.
MORE = (
    *("place_id", "days", "difference", "day", "state", "against", "log_odds_before", "log_odds_after"),
    *("log_odds_change", "prior", "staleness", "remainder", "others", "others_change", "additive"),
)


def diff(
    times: Annotated[
        str | None,
        typer.Argument(metavar="T1..T2", help="Two knowledge times under one logic.", show_default=False),
    ] = None,
    logic: Annotated[
        str | None,
        typer.Option(
            "--logic",
            metavar="A..B",
            help="Two logics, by name or FILE.py; or the one to use.",
            show_default=False,
        ),
    ] = None,
    without: asking.WithoutOption = None,
    with_: asking.WithOption = None,
    place: Annotated[
        list[str] | None,
        typer.Option(
            "--place",
            help="Compare this place only, and grade nobody; repeatable.",
            autocompletion=common.complete_place,
            show_default=False,
        ),
    ] = None,
    question: common.QuestionOption = "control",
    most: Annotated[
        int, typer.Option("--most", help="How many changed intervals and sources to list.", min=1)
    ] = 50,
    db: common.DbOption = None,
    format: common.FormatOption = None,
    json: common.JsonOption = False,
) -> None:
    """Which places and days are believed otherwise, from what to what, because of which claims: between two
    logics (--logic A..B, known then), between two knowledge times (T1..T2, in hindsight), or with and without
    some sources (--without alone, known then; beside the others it leaves them out on both sides), or without and
    with the events of a file that are not recorded (--with, known then), which writes nothing.

    The greatest differences come first. The reasons are nats for the state believed after against the one
    believed before, on the day on which the two are furthest apart; they add up. The totals count everything,
    whatever --most lists. Exits with 5 where there are differences.
    """
    chosen = common.chosen_format(format, json)
    pair = logic_pair(logic)
    asked = sum(one is not None for one in (pair, times)) + bool(with_)
    if asked > 1 or not (asked or without):
        raise Usage(
            "compare either two times, or two logics, or with and without something",
            remedy="`claims diff T1..T2`, `claims diff --logic A..B`, `claims diff --without SOURCE`, or"
            " `claims diff --with FILE.jsonl`",
        )
    if with_:
        _supposed(db, logic, with_, without or (), place, question, most, chosen)
        return
    with asking.open_desk(db, pair[1] if pair else logic) as desk:
        desk.directory.question(question)
        left = desk.without(without or ())
        places = [desk.directory.resolve_place(one) for one in place] if place else None
        if pair:
            answer = compare.between_logics(
                desk, load(pair[0]), desk.loaded, question, most=most, places=places, without=left
            )
        elif times:
            answer = compare.between_times(
                desk, two_times(desk, times), question, most=most, places=places, without=left
            )
        else:
            answer = compare.with_and_without(desk, left, question, most=most, places=places)
        asking.mention_quarantine(desk)
        names = names_of(desk)
    _finish(answer, names, chosen)


def _finish(answer: dict[str, Any], names: Mapping[str, str], chosen: common.Format) -> None:
    show(answer, names, chosen)
    if answer["totals"]["intervals"] or answer["totals"]["sources"]:
        raise typer.Exit(DIFFERENT)


def _supposed(
    db: str | None,
    logic: str | None,
    files: Sequence[str],
    without: Sequence[str],
    place: Sequence[str] | None,
    question: str,
    most: int,
    chosen: common.Format,
) -> None:
    from projections.hypothetical import Supposing

    with (
        asking.open_desk(db, logic) as real,
        Supposing(real, beliefs=True) as before,
        Supposing(before, files, beliefs=True) as after,
    ):
        asking.mention_suppositions(after)
        after.directory.question(question)
        places = [after.directory.resolve_place(one) for one in place] if place else None
        answer = compare.with_supposed(
            before, after, question, most=most, places=places, without=after.without(without)
        )
        asking.mention_quarantine(after)
        names = names_of(after)
    _finish(answer, names, chosen)


def logic_pair(text: str | None) -> tuple[str, str] | None:
    """``A..B`` split in two, whatever dots the paths of files begin with; None where it names one logic."""
    found = re.fullmatch(r"(.*?[^./])\.\.(.+)", text or "")
    return (found[1], found[2]) if found else None


def two_times(desk: Desk, text: str) -> tuple[int, int]:
    """``T1..T2`` as moments, the earlier first."""
    words = day_range(text)
    first, second = (_time(desk, one) for one in words)
    if first > second:
        raise BadDate(f"{words[0]} lies after {words[1]}", remedy="write the earlier time first")
    return first, second


def _time(desk: Desk, text: str) -> int:
    try:
        return desk.known(text)
    except BadDate as error:
        if "lies in the future" not in error.what:
            raise
        what = error.what.replace("known-by ", "")
        raise BadDate(what, remedy="write T1..now to end with all that is known") from None


def names_of(desk: Desk) -> dict[str, str]:
    """What sources are called."""
    return {name: source.name for name, source in desk.directory.sources.items()}


def show(
    answer: dict[str, Any],
    names: Mapping[str, str],
    chosen: common.Format,
    *,
    heading: list[str] | None = None,
    footing: list[str] | None = None,
) -> None:
    """Print a difference: whole as JSON, an interval a line as JSONL and CSV, with totals in a table."""
    jsonl = chosen is common.Format.jsonl
    near = ("neighbours",) if any("neighbours" in change for change in answer["changes"]) else ()
    common.emit(
        answer,
        answer["changes"] if jsonl else [as_row(change, names) for change in answer["changes"]],
        (*COLUMNS, *MORE, *near) if chosen is common.Format.csv else COLUMNS,
        chosen,
        heading=heading if heading is not None else sides(answer),
        footing=[*summary(answer, names), *(footing or ())],
    )


def as_row(change: dict[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """One changed interval as a line of a table."""
    return {
        **change,
        "place": change["place"]["name"],
        "place_id": change["place"]["id"],
        "others": change["others"]["count"],
        "others_change": change["others"]["change"],
        **{f"log_odds_{name}": nats for name, nats in change["log_odds"].items()},
        "because": reasons(change, names),
    }


def reasons(change: dict[str, Any], names: Mapping[str, str]) -> list[str]:
    """A sum in words: the change in nats, and what makes it up as far as three decimals show it."""
    parts = [f"{change['state']} against {change['against']} {change['log_odds']['change']:+.3f}"]
    count, rest = change["others"]["count"], change["others"]["change"]
    for one in change["claims"]:
        if round(one["change"], 3):
            who = names.get(one["claimant"], one["claimant"]) or "an analyst"
            kind = " (hypothetical)" if one.get("hypothetical") else ""
            parts.append(f"{who} {one['state'] or one['act']}{kind} {one['change']:+.3f}")
        else:
            count, rest = count + 1, rest + one["change"]
    if count:
        parts.append(f"{_number(count, 'other')} {rest:+.3f}")
    terms = (
        ("prior", "prior"),
        ("staleness", "time"),
        ("neighbours", "neighbours"),
        ("remainder", "not explained"),
    )
    told = ((word, change.get(name, 0.0)) for name, word in terms)
    return parts + [f"{word} {nats:+.3f}" for word, nats in told if round(nats, 3)]


def sides(answer: dict[str, Any]) -> list[str]:
    """The line that makes a table citable."""
    known = "known_by" in answer["to"]
    parts = [f"{_side(answer['from'])} → {_side(answer['to'])}", "hindsight" if known else "known then"]
    if "with" in answer:
        parts[0] = f"{_side(answer['from'])} → {asking.suppositions(answer['with'])}"
    parts.append(f"ledger #{answer['position']} root {answer['root'][:12]}")
    if known:
        parts.append(f"logic {_side(answer['logic'])}")
    if answer["without"]:
        parts.append(f"without {', '.join(answer['without'])}")
    return [" | ".join(parts)]


def _side(end: dict[str, Any]) -> str:
    if "known_by" in end:
        return f"known by {end['known_by']}"
    left = f" without {', '.join(end['without'])}" if end.get("without") else ""
    return f"{end['name']}@{end['version']} {end['fingerprint'][:8]}{left}"


def summary(answer: dict[str, Any], names: Mapping[str, str]) -> list[str]:
    """The totals, and the sources whose grade differs."""
    totals, listed = answer["totals"], len(answer["changes"])
    lines = [
        f"{totals['places_changed']} of {_number(totals['places'], 'place')} differ,"
        f" {_number(totals['intervals'], 'interval')}, {_number(totals['days_changed'], 'day')}"
        f" ({totals['share_changed']:.1%} of {_number(totals['place_days'], 'place-day')})"
    ]
    lines += [
        f"  {pair['from']} → {pair['to']}: {_number(pair['intervals'], 'interval')},"
        f" {_number(pair['days'], 'day')}"
        for pair in totals["pairs"]
    ]
    if listed < totals["intervals"]:
        lines.append(f"  the {listed} greatest are listed")
    for one in answer["sources"]:
        means = [f"{one[side]['mean']:.2f}" for side in ("before", "after")]
        name = names.get(one["source"], one["source"])
        lines.append(f"{name}: grade {one['from']} → {one['to']}, reliability {' → '.join(means)}")
    if len(answer["sources"]) < (totals["sources"] or 0):
        lines.append(f"{totals['sources']} sources are graded otherwise, {len(answer['sources'])} are listed")
    return lines


def _number(count: int, word: str) -> str:
    return f"{count:,} {word}{'' if count == 1 else 's'}"
