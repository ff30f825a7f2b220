"""``claims as-of DATE PLACE`` as a look-up: one process, a few milliseconds, none of the heavy libraries.

A view keeps, beside its knots, what a look-up would otherwise have to work out: which spelling leads to which
place, how the states of each question move, and what all of it was made from (``save``). ``answer`` reads
that and the ledger's own rows. It answers the plainest calls only, and only where everything fits: the view
stands at the ledger's head, was made by the code that is installed, nothing was promoted. Anything else, be it
an unknown name, a setting in a file or a damaged row, is None: the whole machinery then answers, or says what
is wrong. Both print the same bytes.
"""

from __future__ import annotations

import json
import math
import os
import sqlite3
import sys
import time
from datetime import date, datetime, timedelta
from functools import lru_cache
from hashlib import sha256

from projections.shapes import COLUMNS, as_row, footing, heading, stale_notes, unseen_notes, verdict_shape

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any

    from ledger.directory import Directory
    from projections.belief.params import Params
    from projections.envelopes.cache import Envelopes
    from projections.registry import Loaded

TABLES = (
    "CREATE TABLE IF NOT EXISTS spelling (text TEXT PRIMARY KEY, place TEXT NOT NULL, name TEXT NOT NULL)"
    " STRICT, WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS redated (place TEXT PRIMARY KEY) STRICT, WITHOUT ROWID",
)
_ENTRY = "[claim_ledger.logics]\nhmm = projections.belief.hmm:HMM\ntally = projections.belief.tally:TALLY"
_LOGIC = "tally@1"
_EPOCH = datetime(1970, 1, 1)
_DAY_US = 86_400_000_000
_TINY, _TIE = 1e-300, 1e-12
#: A correction of one of these may change when an entry counts, and with that leave a note.
_DATES = frozenset(("published", "said", "valid", "valid_kind"))


# -- how states move, without numpy ----------------------------------------------------------------------


def saved_bases(questions: dict[str, Any], params: Params) -> dict[str, Any]:
    """Question → names of its states and the eigenbasis of their motion, as JSON values. A question whose
    motion is not reversible is left out."""
    from projections.belief.motion import motion

    found = {}
    for question, states in questions.items():
        moving = motion(states, params)
        if moving.reversible:
            basis = moving._basis(())
            found[question] = {
                "states": list(states.names),
                "values": list(basis.values),
                "u": [list(column) for column in basis.u_columns],
                "w": [list(column) for column in basis.w_columns],
            }
    return found


def carry(basis: dict[str, Any], belief: Sequence[float], days: int) -> list[float]:
    """A belief some days later: ``belief @ U @ diag(exp(values·days)) @ W``, made to sum to 1."""
    if days:
        inner = [
            math.exp(value * days) * sum(p * x for p, x in zip(belief, column, strict=True))
            for value, column in zip(basis["values"], basis["u"], strict=True)
        ]
        outer = (sum(p * x for p, x in zip(inner, column, strict=True)) for column in basis["w"])
        belief = [max(p, _TINY) for p in outer]
    total = sum(belief)
    return [p / total for p in belief]


# -- what a view keeps for it ------------------------------------------------------------------------------


def save(
    db: sqlite3.Connection,
    loaded: Loaded,
    directory: Directory,
    corrected: Callable[[int], Iterable[str]],
    head: int,
) -> None:
    """Keep in a view, inside the transaction that stamps it at ``head``, what look-ups need. Nothing is kept
    for any but the default logic, which alone is asked without being named. ``corrected`` gives the ``redated``
    places behind a position."""
    from projections import registry
    from projections.case import states_of

    if loaded.file is not None or loaded.logic.id != _LOGIC:
        return
    if loaded.fingerprint != _default():
        return
    for statement in TABLES:
        db.execute(statement)
    row = db.execute("SELECT value FROM meta WHERE name = 'lookup'").fetchone()
    before = json.loads(row[0]) if row else {}
    after = before.get("head", 0)
    if before.get("registry") != directory.position:
        db.execute("DELETE FROM spelling")
        db.executemany("INSERT INTO spelling VALUES (?, ?, ?)", _spellings(directory))
        after = 0  # another place may answer for an id by now
    db.executemany("INSERT OR IGNORE INTO redated VALUES (?)", ((one,) for one in corrected(after)))
    files = (
        *registry._CODE,
        "projections/registry.py",
        "projections/lookup.py",
        "projections/shapes.py",
        "projections/wording.py",
    )
    made_of = {
        "files": list(files),
        "code": _hash_once(files),
        "fingerprint": loaded.fingerprint,
        "registry": directory.position,
    }
    if before.items() >= made_of.items():
        kept = before | {"head": head}
    else:
        states = {question: states_of(directory, question) for question in directory.questions}
        kept = made_of | {"head": head, "questions": saved_bases(states, loaded.logic.params)}
    db.execute("INSERT OR REPLACE INTO meta VALUES ('lookup', ?)", (json.dumps(kept),))


def _spellings(directory: Directory) -> Iterable[tuple[str, str, str]]:
    """(text, place id, name) of every text that leads to one place."""
    from ledger.errors import UnknownName

    texts = {*directory.merged_ids()}
    for place in directory.places.values():
        texts.update((place.id, *place.names, *place.aliases))
    for text in sorted(texts):
        try:
            found = directory.places.get(directory.resolve_place(text))
        except UnknownName:
            continue
        if found is not None:
            yield text, found.id, found.name


def redated(directory: Directory, envelopes: Envelopes, after: int = 0) -> list[str]:
    """In order, places of which a correction recorded after a position may have to be noted: it changed dates of an
    entry, or moved it there."""
    codes, found = envelopes.codes, set[int]()
    fates = envelopes.db.execute(
        "SELECT place, at, data FROM fate WHERE name = 'entry-corrected' AND position > ?", (after,)
    )
    for place, at, data in fates.fetchall():
        changes = json.loads(data).get("changes") or {}
        into = changes.get("place")
        if _DATES & changes.keys():
            found.add(place)
        if isinstance(into, str) and into in codes and (at, place) in envelopes.moved(codes[into]):
            found.add(codes[into])
    return sorted({directory.place_id(codes.names[code]) for code in found})


@lru_cache(maxsize=1)
def _default() -> str:
    """The fingerprint of the default logic as it is installed."""
    from projections import registry

    return registry.load(registry.DEFAULT).fingerprint


@lru_cache(maxsize=1)
def _hash_once(files: tuple[str, ...]) -> str:
    """Of the code that runs in this process, whatever becomes of the files meanwhile."""
    return _hash(files)


def _hash(files: Iterable[str]) -> str:
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    digest = sha256()
    for name in files:
        with open(os.path.join(root, name), "rb", buffering=0) as file:
            content = file.read()
        digest.update(f"{name}\n{len(content)}\n".encode() + content)
    return digest.hexdigest()


# -- asking --------------------------------------------------------------------------------------------------


def answer(argv: Sequence[str]) -> bytes | None:
    """What ``claims`` prints for a command line; None where this is no plain look-up."""
    try:
        asked = _read(argv)
        return _print(_answer(asked), asked["json"]) if asked else None
    except Exception:  # whatever is wrong, the whole machinery finds it again and can say what it is
        return None


class _Declined(Exception):
    """Not a plain look-up after all."""


def _must(so: object) -> None:
    if not so:
        raise _Declined


def _read(argv: Sequence[str]) -> dict[str, Any] | None:
    """``as-of DATE PLACE… [--db FILE] [--question Q] [--json]``, the words in any order."""
    words: list[str] = []
    asked: dict[str, Any] = {"db": None, "question": "control", "json": False}
    rest = iter(argv[1:])
    if not argv or argv[0] != "as-of":
        return None
    for word in rest:
        if word == "--json":
            asked["json"] = True
        elif word in ("--db", "--question"):
            asked[word[2:]] = next(rest, None)
            if not asked[word[2:]] or asked[word[2:]].startswith("-"):
                return None
        elif word.startswith("-"):
            return None
        else:
            words.append(word)
    if len(words) < 2 or _settings():
        return None
    day = date.fromisoformat(words[0])
    _must(day.isoformat() == words[0])
    asked["day"] = day.toordinal()
    asked["places"] = words[1:]
    asked["db"] = asked["db"] or os.environ.get("CLAIMS_DB") or _beside()
    return asked


def _beside() -> str:
    return next(name for name in ("claims.db", "demo.db", "") if not name or os.path.exists(name))


def _settings() -> bool:
    """Whether anything but the ledger's path is set somewhere, or the shell is asking for completions."""
    if sys.platform != "linux" or any(name.startswith("_CLAIMS") for name in os.environ):
        return True
    if {"CLAIMS_LOGIC", "CLAIMS_FORMAT", "CLAIMS_LOCK_TIMEOUT"} & os.environ.keys():
        return True
    base = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    if os.path.exists(os.path.join(base, "claim-ledger", "config.toml")):
        return True
    folder = os.getcwd()
    while not os.path.exists(os.path.join(folder, "claims.toml")):
        if folder == os.path.dirname(folder):
            return False
        folder = os.path.dirname(folder)
    return True


def _only_ours() -> bool:
    """Whether no other distribution announces logics: one of theirs might be the default."""
    found = []
    for folder in dict.fromkeys(sys.path):
        for entry in os.scandir(folder or ".") if os.path.isdir(folder or ".") else ():
            if entry.name.endswith((".dist-info", ".egg-info")):
                path = os.path.join(entry.path, "entry_points.txt")
                if os.path.exists(path):
                    with open(path, "rb", buffering=0) as file:
                        text = file.read()
                    if b"claim_ledger.logics" in text:
                        found.append(text.decode())
    return len(found) == 1 and f"{_ENTRY}\n" in f"{found[0].strip()}\n"


def _answer(asked: dict[str, Any]) -> dict[str, Any]:
    path = os.path.abspath(asked["db"])
    _must(asked["db"] and os.path.isfile(path) and not set("?#%") & set(path))
    _must(".." not in asked["db"] and _only_ours())
    ledger = _open(path)
    try:
        from ledger.store.sqlite.schema import recognise

        recognise(ledger, path)
        ledger.execute("BEGIN")
        [(size, frontier, _)] = ledger.execute("SELECT size, frontier, recorded FROM ledger_head")
        _must(not ledger.execute("SELECT 1 FROM stored_events WHERE originator_id = 'logic'").fetchone())
        last, leaf = _event(ledger, size)
        first, _leaf = _event(ledger, 1)
        view, meta, kept = _view(path, asked["db"])
        try:
            _must(meta["position"] == str(size) and meta["leaf"] == leaf.hex())
            _must(kept["head"] == size and meta["ledger"] == first["data"]["ledger"])
            _must(not view.execute("SELECT 1 FROM choked LIMIT 1").fetchone())
            answers = [_place(ledger, view, kept, text, asked) for text in asked["places"]]
            return _header(asked, kept, last["recorded"], size, _root(size, frontier)) | {
                "answers": answers,
                "without": [],
            }
        finally:
            view.close()
    finally:
        ledger.close()


def _header(
    asked: dict[str, Any], kept: dict[str, Any], recorded: str, size: int, root: str
) -> dict[str, Any]:
    over = (asked["day"] + 1 - _EPOCH.toordinal()) * _DAY_US - 1
    known = _EPOCH + timedelta(microseconds=min(over, time.time_ns() // 1_000))
    name, _, version = _LOGIC.partition("@")
    return {
        "schema": "as-of/1",
        "as_of": date.fromordinal(asked["day"]).isoformat(),
        "known_by": known.isoformat(timespec="microseconds") + "Z",
        "recorded_by": recorded,
        "position": size,
        "root": root,
        "logic": {"name": name, "version": int(version), "fingerprint": kept["fingerprint"][:16]},
    }


def _open(path: str) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None, timeout=1.0)


def _event(ledger: sqlite3.Connection, position: int) -> tuple[dict[str, Any], bytes]:
    """The leaf at a position and its hash, both as recorded; declines where columns and bytes disagree."""
    [(stream, version, topic, state, leaf)] = ledger.execute(
        "SELECT originator_id, originator_version, topic, state, leaf_hash FROM stored_events WHERE rowid = ?",
        (position,),
    )
    found = json.loads(state)
    _must((found["stream"], found["version"], found["type"]) == (stream, version, topic))
    return found, leaf


def _view(path: str, typed: str) -> tuple[sqlite3.Connection, dict[str, str], dict[str, Any]]:
    """The view that the installed code made, with its stamp and what it keeps."""
    chosen = os.environ.get("CLAIMS_VIEWS")
    folder = os.path.join(chosen, os.path.basename(typed)) if chosen else f"{path}.views"
    for name in os.listdir(folder):
        if name.startswith(f"{_LOGIC}") and name.endswith(".db"):
            view = _open(os.path.abspath(os.path.join(folder, name)))
            meta = dict(view.execute("SELECT name, value FROM meta"))
            kept = json.loads(meta.get("lookup", "{}"))
            if kept and kept["fingerprint"] == meta["fingerprint"] and kept["code"] == _hash(kept["files"]):
                return view, meta, kept
            view.close()
    raise _Declined


def _root(size: int, frontier: bytes) -> str:
    """The root hash, from the roots of the perfect subtrees."""
    roots = [frontier[at : at + 32] for at in range(0, len(frontier), 32)]
    _must(size > 0 and len(frontier) == 32 * size.bit_count())
    root = roots.pop()
    while roots:
        root = sha256(b"\x01" + roots.pop() + root).digest()
    return root.hex()


def _place(
    ledger: sqlite3.Connection,
    view: sqlite3.Connection,
    kept: dict[str, Any],
    text: str,
    asked: dict[str, Any],
) -> dict[str, Any]:
    """One place's answer, off its knot; declines where nothing was known, or a correction may need a note."""
    from projections.blobs import Spot

    question, day = asked["question"], asked["day"]
    basis = kept["questions"][question]
    [(place, name)] = view.execute(
        "SELECT place, name FROM spelling WHERE text = ? AND place NOT IN (SELECT place FROM redated)",
        (text.strip(),),
    )
    [(n,)] = view.execute("SELECT n FROM spot WHERE place = ? AND question = ?", (place, question))
    spot = Spot(view.blobopen("spot", "data", n, readonly=True))  # type: ignore[arg-type]
    found = spot.find(day)
    _must(found >= 0)
    knot = spot.knot(found)
    _must(knot.belief and not knot.rates and day >= knot.at)
    p = carry(basis, knot.belief, day - knot.at)
    _must(len(p) == len(basis["states"]))
    believed = next(state for state, one in zip(basis["states"], p, strict=True) if one >= max(p) - _TIE)
    notes = stale_notes(knot.newest, day)
    notes += unseen_notes(knot.displays, day, lambda source: _name(ledger, source))
    named = {"id": place, "name": name}
    probabilities = dict(zip(basis["states"], p, strict=True))
    return verdict_shape(
        named, question, believed, probabilities, knot.origins, knot.claims, knot.newest, day, notes
    )


def _name(ledger: sqlite3.Connection, source: str) -> str:
    """A source's first name. Names may be erased from the ledger, so they are never copied into a view."""
    found = ledger.execute(
        "SELECT topic, body FROM stored_events LEFT JOIN ledger_body ON position = rowid"
        " WHERE originator_id = ? ORDER BY originator_version",
        (f"source:{source}",),
    ).fetchall()
    _must(found and all(topic in ("source-registered/1", "source-described/1") for topic, _ in found))
    return str(json.loads(found[0][1])["names"][0])


def _print(answer: dict[str, Any], as_json: bool) -> bytes:
    from ledger.commands.plain import table, visible_values

    if not as_json:
        lines = table([as_row(one) for one in answer["answers"]], COLUMNS, heading(answer), footing(answer))
        return "".join(f"{line}\n" for line in lines).encode(errors="backslashreplace")
    answer = visible_values(answer)
    if any("e" in repr(p) for one in answer["answers"] for p in one["probabilities"].values()):
        import orjson  # which writes exponents in another way than Python

        return orjson.dumps(answer, option=orjson.OPT_INDENT_2) + b"\n"
    return json.dumps(answer, indent=2, ensure_ascii=False).encode() + b"\n"
