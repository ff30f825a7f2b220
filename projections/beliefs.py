"""What a view answers: the knots of a place, those of many on one day, and the scores of the sources."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator
from typing import cast

import orjson

from projections import blobs
from projections.belief.base import Logic
from projections.blobs import Knot
from projections.credibility import Score
from projections.engine import Quarantined
from projections.making import Spot
from projections.registry import Loaded
from projections.view import View

#: Spots of which the bytes are open at the same time: SQLite looks at all that are open to open one more.
_AT_ONCE = 100


class Beliefs:
    """Look-ups in one logic's view. ``score`` makes the scores that it was left without."""

    def __init__(self, view: View, loaded: Loaded, score: Callable[[], None] = lambda: None) -> None:
        self._view = view
        self.loaded = loaded
        self.score = score
        view.db.execute("PRAGMA mmap_size = 1073741824")  # a look-up reads a little here and there

    @property
    def logic(self) -> Logic:
        return self.loaded.logic

    def _data(self, place: str, question: str) -> blobs.Bytes | None:
        found = self._view.db.execute(
            "SELECT n FROM spot WHERE place = ? AND question = ?", (place, question)
        ).fetchone()
        if found is None:
            return None
        return self._blob(found[0])

    def _blob(self, n: int) -> blobs.Bytes:
        return cast(blobs.Bytes, self._view.db.blobopen("spot", "data", n, readonly=True))

    def knot(self, place: str, question: str, day: int) -> Knot | None:
        """The knot that answers for a day; None before anything was known."""
        data = self._data(place, question)
        return _knot(data, day) if data else None

    def sweep(
        self, question: str, day: int, before: int, places: Container[str]
    ) -> tuple[list[str], list[int | None], blobs.Sweep, dict[int, Knot | None]] | None:
        """What is known then of many places: of which, their ``first_day``, their knots as ``blobs.sweep`` gives
        them, and by index the knots of those that it leaves alone. Places of which nothing was said are left
        out; None where that leaves none."""
        db = self._view.db
        db.execute("BEGIN")  # locked once, and not for each of the blobs
        try:
            sql = "SELECT n, place, first FROM spot WHERE question = ?"
            spots = [one for one in db.execute(sql, (question,)).fetchall() if one[1] in places]
            if not spots:
                return None
            swept = blobs.joined(self._swept([one[0] for one in spots], day, before))
            alone = {n: _knot(self._blob(spots[n][0]), day) for n in swept.alone}
        finally:
            db.execute("COMMIT")
        return [one[1] for one in spots], [one[2] for one in spots], swept, alone

    def _swept(self, spots: list[int], day: int, before: int) -> Iterator[blobs.Sweep]:
        for at in range(0, len(spots), _AT_ONCE):
            yield blobs.sweep([self._blob(n) for n in spots[at : at + _AT_ONCE]], day, before)

    def knots(self, place: str, question: str) -> list[Knot]:
        """All knots of a place, in order."""
        data = self._data(place, question)
        return list(blobs.Spot(data).all()) if data else []

    def first_day(self, place: str, question: str) -> int | None:
        """The first day that anything recorded speaks of; None where nothing does."""
        row = self._view.db.execute(
            "SELECT first FROM spot WHERE place = ? AND question = ?", (place, question)
        ).fetchone()
        return row[0] if row else None

    def spots(self, question: str | None = None) -> list[Spot]:
        """Every place with knots, in order of id."""
        found = self._view.db.execute("SELECT place, question FROM spot WHERE knots > 0 ORDER BY 1, 2")
        return [(place, asked) for place, asked in found if question in (None, asked)]

    def scores(self) -> dict[str, Score]:
        """Source → score over all places and questions, at the view's position."""
        self.score()
        return scores_of(self._view.db.execute("SELECT sources, counts FROM score ORDER BY place, question"))

    def scored(self, question: str) -> Iterator[tuple[str, str, bytes]]:
        """(place, sources, counts) of every place on one question, in order of place."""
        self.score()
        sql = "SELECT place, sources, counts FROM score WHERE question = ? ORDER BY place"
        yield from self._view.db.execute(sql, (question,))

    def due(self, known: int) -> list[str]:
        """Places of which scores are other ones by a moment although nothing was recorded since."""
        self.score()
        found = self._view.db.execute(
            "SELECT DISTINCT place FROM spot WHERE due <= ? ORDER BY place", (known,)
        )
        return [place for (place,) in found]

    def quarantined(self) -> list[Quarantined]:
        """What could not be read, or what the logic raised on, by position."""
        rows = self._view.db.execute("SELECT DISTINCT position, entry, error FROM choked ORDER BY 1, 2, 3")
        return [Quarantined(*row) for row in rows]


def _knot(data: blobs.Bytes, day: int) -> Knot | None:
    spot = blobs.Spot(data)
    n = spot.find(day)
    return spot.knot(n) if n >= 0 else None


def scores_of(rows: Iterable[tuple[str, bytes]]) -> dict[str, Score]:
    """Scores of many spots added up, by source in order of its id."""
    import numpy as np

    width = len(Score.__slots__)
    names: dict[str, int] = {}
    index: list[int] = []
    counts: list[bytes] = []
    for sources, blob in rows:
        for name in orjson.loads(sources):
            index.append(names.setdefault(name, len(names)))
        counts.append(blob)
    table = np.frombuffer(b"".join(counts), "<i4").reshape(-1, width)
    totals = np.zeros((len(names), width), np.int64)
    np.add.at(totals, np.array(index, np.int64), table)
    return {name: Score(*totals[names[name]].tolist()) for name in sorted(names)}
