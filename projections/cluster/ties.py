"""What the judge of some places has to know of others: entries that a correction moved here, evidence leant on from here,
and who spoke against either, wherever it was recorded.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from typing import Any

from ledger.book import Ledger
from ledger.buckets.folder import arrow
from ledger.buckets.writing import Tie
from projections.envelopes.cache import Envelopes
from projections.envelopes.reading import id16
from projections.envelopes.shape import EVIDENCE

Entry = tuple[str, int]
"""Where an entry was recorded: its place, and its position."""


class Ties:
    """Evidence goes by its id, other entries by where they stand. ``moved``: place → entries a correction gave it;
    ``leans``: place → evidence leant on there; ``grounds``: evidence → other evidence; ``stands``: evidence → where it was
    recorded; ``spoken``: evidence → who spoke of it; ``befell``: position → positions of what befell the entry there."""

    def __init__(self) -> None:
        self.moved: dict[str, set[Entry]] = defaultdict(set)
        self.leans: dict[str, set[str]] = defaultdict(set)
        self.grounds: dict[str, set[str]] = defaultdict(set)
        self.stands: dict[str, Entry] = {}
        self.spoken: dict[str, set[Entry]] = defaultdict(set)
        self.befell: dict[int, set[int]] = defaultdict(set)
        self._there: dict[str, set[str]] | None = None
        self._at: dict[int, str] = {}

    def guests(self, places: Collection[str]) -> dict[str, tuple[int, ...]]:
        """Place → positions of all that has to be read of it, for those that are judged under these ids."""
        found: dict[str, set[int]] = defaultdict(set)

        def take(entry: Entry) -> None:
            home, position = entry
            if home and home not in places:
                found[home] |= {position, *self.befell.get(position, ())}

        there = self._evidence()
        heard: set[str] = set()
        for place in places:
            heard |= self.leans.get(place, set()) | there.get(place, set())
            for entry in self.moved.get(place, ()):
                take(entry)
                if entry[1] in self._at:
                    heard.add(self._at[entry[1]])
        more, seen = list(heard), set(heard)
        while more:
            evidence = more.pop()
            if evidence in self.stands:
                take(self.stands[evidence])
            for entry in self.spoken.get(evidence, ()):
                take(entry)
            for ground in self.grounds.get(evidence, ()):
                if ground not in seen:
                    seen.add(ground)
                    more.append(ground)
        return {home: tuple(sorted(positions)) for home, positions in sorted(found.items())}

    def _evidence(self) -> dict[str, set[str]]:
        """Place → evidence recorded there of which anything elsewhere speaks, or that leans on other evidence."""
        if self._there is None:
            self._there = defaultdict(set)
            for evidence, (home, position) in self.stands.items():
                self._at[position] = evidence
                if evidence in self.spoken or evidence in self.grounds:
                    self._there[home].add(evidence)
        return self._there


def of_parts(table: Any) -> Ties:
    """The ties of an export, given as an Arrow table; those that lead nowhere else are passed over early."""
    ties, by = Ties(), defaultdict(set)
    moved: list[Tie] = []
    first: dict[str, int] = {}
    for one in _crossing(table):
        if one.kind == "befell":  # these come last
            ties.befell[first[one.stream]].add(one.position)
            continue
        first[one.stream] = one.position
        if one.kind == "stands":
            ties.stands[one.stream] = one.home, one.position
        elif one.kind == "leans":
            by[one.stream].add(one.to)
            ties.leans[one.home].add(one.to)
        elif one.kind == "speaks":
            ties.spoken[one.to].add((one.home, one.position))
        elif one.kind == "moved":
            moved.append(one)
            ties.moved[one.to].add((one.home, one.position))
    ties.grounds.update((stream, by[stream]) for stream in by if stream in ties.stands)
    for one in moved:
        ties.leans[one.to] |= by.get(one.stream, set())
    return ties


def _crossing(table: Any) -> Iterable[Tie]:
    """What may lead from one place to another: references to evidence elsewhere, whatever hangs on the same evidence,
    and what moved."""
    pa = arrow()
    pc = pa.compute

    def of(*kinds: str) -> Any:
        return table.filter(pc.is_in(table["kind"], pa.array(kinds)))

    def named(some: Any, column: str, among: Collection[str]) -> Any:
        return pc.is_in(some[column], pa.array(sorted(among), pa.string()))

    stands, refers, moved = of("stands"), of("leans", "speaks"), of("moved")
    homes = stands.select(["stream", "home"]).rename_columns(["to", "there"])
    joined = refers.join(homes, "to", join_type="inner")
    near = {*joined.filter(pc.not_equal(joined["home"], joined["there"]))["to"].to_pylist()}
    near |= {*moved["stream"].to_pylist()}
    while True:
        kept = refers.filter(pc.or_(named(refers, "to", near), named(refers, "stream", near)))
        further = {*kept["to"].to_pylist()} - near
        if not further:
            break
        near |= further
    found = (stands.filter(named(stands, "stream", near)), kept, moved)
    for some in found:
        yield from _rows(some)
    befell, heard = of("befell"), {stream for some in found for stream in some["stream"].to_pylist()}
    yield from _rows(befell.filter(named(befell, "stream", heard)))


def _rows(table: Any) -> Iterable[Tie]:
    columns = (table[name].to_pylist() for name in Tie._fields)
    return map(Tie._make, zip(*columns, strict=True))


def of_cache(cache: Envelopes, ledger: Ledger) -> Ties:
    """The ties of a ledger whose envelopes are at hand."""
    import numpy as np

    ties, names = Ties(), cache.codes.names
    evidence: set[str] = set()
    for into, position, home in cache.every_move():
        ties.moved[names[into]].add((names[home], position))
        first = ledger.event(position)
        if first is not None and first.name == "evidence-reported":
            evidence.add(first.stream)
    for one, position, home in cache.every_doubt():
        ties.spoken[one].add((names[home], position))
        evidence.add(one)
    for one, place, by in cache.db.execute("SELECT evidence, place, by FROM lean").fetchall():
        ties.leans[names[place]].add(one)
        evidence.add(one)
        if by:
            ties.grounds[by].add(one)
            evidence.add(by)
    for at, position in cache.db.execute("SELECT at, position FROM fate").fetchall():
        ties.befell[at].add(position)
    wanted = {id16(one): one for one in evidence}
    for place in cache.places() if wanted else ():
        records = cache.records([place])
        records = records[records["kind"] == EVIDENCE]
        ids = np.ascontiguousarray(records["id"]).view("V16").reshape(-1).tolist()
        for name, position in zip(ids, records["position"].tolist(), strict=True):
            if name in wanted:
                ties.stands[wanted[name]] = names[place], position
    return ties
