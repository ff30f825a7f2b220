"""Which worker judges what: families put together by the bucket of their root until there are enough of their rows; a hot
family alone, and a question of it at a time; the largest first. And which slots are heard together, where a logic learns.
"""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ledger.book import Ledger
from ledger.buckets import manifest, reading
from ledger.buckets.folder import Folder
from ledger.buckets.manifest import bucket_of
from ledger.directory import Directory
from ledger.errors import LedgerError
from ledger.places import Location
from projections.cluster.hearing import Range
from projections.cluster.tasks import Direct, Parts, Source, Task
from projections.cluster.ties import Ties, of_cache, of_parts
from projections.columns.testimony import Families
from projections.envelopes.cache import Envelopes
from projections.envelopes.reading import EVERYWHERE
from projections.learning.slots import SLOTS, aligned, slot_of

#: The most rows a task, but for one family alone: some hundreds of megabytes of a worker's while they are judged.
ROWS = 250_000
#: Fewer rows than these are not worth a task, nor more tasks than these where they are.
FEW, MANY = 20_000, 32
#: From so many rows on a family is judged by itself, and its questions apart.
HOT = 100_000
#: The most rows whose slots are heard together, but for one slot alone: with all that is written down of them, and what
#: is counted, several hundred megabytes of a worker's.
HEARD = 1_000_000


@dataclass
class Survey:
    """What is known before anything is read: rows by place, ties, how to get at the leaves of some places with their
    guests, and the rows of some places by what they ask."""

    rows: dict[str, int]
    ties: Ties
    questions: Callable[[Collection[str]], Counter[str]]
    source: Callable[[Collection[str], dict[str, tuple[int, ...]]], Source]
    buckets: int


def of_folder(folder: Folder, ledger: Ledger, name: str, head: int) -> Survey:
    """The survey of an export. Raises ``LedgerError`` where it is behind, ``Unverified`` where it does not fit."""
    found = manifest.required(folder)
    manifest.check(found, folder, ledger.store, name)
    if found.position < head:
        raise LedgerError(
            f"the parts reach #{found.position}, the ledger #{head}",
            where=folder.url,
            remedy=f"`claims export --parquet {folder.url}` adds what is new",
        )
    # Workers may run in other folders.
    url = folder.url if "://" in folder.url else os.path.abspath(folder.url)
    nowhere = tuple(found.rows(None))
    by_bucket = {bucket: tuple(found.rows(bucket)) for bucket in range(found.buckets)}

    def source(places: Collection[str], guests: dict[str, tuple[int, ...]]) -> Source:
        some = sorted({bucket_of(place, found.buckets) for place in (*places, *guests)})
        parts = tuple(part for bucket in some for part in by_bucket[bucket])
        return Parts(url, nowhere, parts, tuple(sorted(places)), guests)

    counts = reading.counts(folder, [part for parts in by_bucket.values() for part in parts])

    def questions(places: Collection[str]) -> Counter[str]:
        return sum((Counter(counts.get(place, {})) for place in places), Counter())

    rows = {place: sum(asked.values()) for place, asked in counts.items()}
    ties = of_parts(reading.ties(folder, found.ties()))
    return Survey(rows, ties, questions, source, found.buckets)


def of_ledger(place: Location, ledger: Ledger, cache: Envelopes) -> Survey:
    """The survey of a ledger that workers reach themselves, by the coordinator's cache."""
    there = place.absolute() if isinstance(place, Path) else place
    names, codes = cache.codes.names, cache.codes
    bad = [at for at, _, _ in cache.bad()]

    def positions(name: str) -> Iterator[int]:
        if name in codes:
            code = codes[name]
            yield from cache.records([code])["position"].tolist()
            yield from (one.position for one in cache.fates(code))

    nowhere = [*positions(EVERYWHERE), *bad]

    def source(places: Collection[str], guests: dict[str, tuple[int, ...]]) -> Source:
        some = [*nowhere, *(at for one in places for at in positions(one))]
        some += [at for found in guests.values() for at in found]
        return Direct(there, np.unique(np.array(some, np.int64)).tobytes())

    def questions(places: Collection[str]) -> Counter[str]:
        some = cache.records([codes[place] for place in places if place in codes])
        found, counts = np.unique(some["question"], return_counts=True)
        return Counter(
            {names[one]: count for one, count in zip(found.tolist(), counts.tolist(), strict=True)}
        )

    rows = {names[code]: count for code, count in cache.places().items() if names[code] != EVERYWHERE}
    return Survey(rows, of_cache(cache, ledger), questions, source, manifest.BUCKETS)


def tasks(survey: Survey, directory: Directory) -> list[Task]:
    """The tasks of a replay, the largest first; at least one, since somebody must look at what stands at no place."""
    spoken, sizes = _families(survey, directory)
    found = []
    for roots in _groups(sizes, survey.buckets):
        places = {place for root in roots for place in spoken[root]}
        source = survey.source(places, survey.ties.guests(places))
        rows = sum(sizes[root] for root in roots)
        asked = _split(survey.questions(places), directory) if len(roots) == 1 and rows >= HOT else [None]
        found += [Task(tuple(roots), questions, rows, source) for questions in asked]
    found = found or [Task((), None, 0, survey.source((), {}))]
    return sorted(found, key=lambda one: (-one.rows, one.families, one.questions or ()))


def ranges(survey: Survey, directory: Directory, workers: int) -> list[Range]:
    """Every slot once, in aligned ranges: at least as many as there are workers, where enough was said, and small enough
    to be heard at once. A family lies in one of them, whole, whatever tasks it is judged in."""
    spoken, sizes = _families(survey, directory)
    by_slot: dict[int, list[str]] = defaultdict(list)
    for root in sizes:
        by_slot[slot_of(root)].append(root)
    rows = [sum(sizes[root] for root in by_slot[slot]) for slot in range(SLOTS)]
    enough = min(HEARD, max(FEW, sum(rows) // workers))

    def fits(first: int, many: int) -> bool:
        return sum(rows[first : first + many]) <= enough

    found = []
    for first, many in aligned(range(SLOTS), fits):
        places = {place for n in range(first, first + many) for root in by_slot[n] for place in spoken[root]}
        source = survey.source(places, survey.ties.guests(places))
        found.append(Range(first, many, sum(rows[first : first + many]), source))
    return found


def _families(survey: Survey, directory: Directory) -> tuple[dict[str, set[str]], dict[str, int]]:
    """By root, in order: the places under which anything was said of a family, and how many rows it has."""
    families = Families(directory)
    spoken: dict[str, set[str]] = defaultdict(set)
    for place in (*survey.rows, *survey.ties.moved):
        if place:
            spoken[families.root(place)].add(place)
    sizes = {root: sum(survey.rows.get(place, 0) for place in spoken[root]) for root in sorted(spoken)}
    return spoken, sizes


def _split(rows: Counter[str], directory: Directory) -> Sequence[tuple[str, ...] | None]:
    """The questions of a hot family in groups, since each reads all of it: those of which most is said alone, the
    others together."""
    alone = [one for one in directory.questions if rows[one] >= HOT // 2]
    others = tuple(one for one in directory.questions if one not in alone)
    found = [*((one,) for one in alone), *([others] if others else [])]
    return found if len(alone) > 1 else [None]


def _groups(sizes: dict[str, int], buckets: int) -> Iterator[list[str]]:
    """Families that are judged together: those of one bucket, and of the next ones while they are few."""
    enough = min(ROWS, max(FEW, sum(sizes.values()) // MANY))
    some: list[str] = []
    count = 0
    for root in sorted(sizes, key=lambda one: (bucket_of(one, buckets), one)):
        if sizes[root] >= min(HOT, enough):
            yield [root]
            continue
        if some and count + sizes[root] > enough:
            yield some
            some, count = [], 0
        some.append(root)
        count += sizes[root]
    if some:
        yield some
