"""The track record of every source on one question, as known by any moment.

What was known when the last event was recorded is looked up in the view. Since then the time of a prediction
may have come; and an earlier moment has scores of its own: these are worked out by what makes the view.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain

from projections.beliefs import scores_of
from projections.compare_logics import recorded
from projections.credibility import Score
from projections.desk import Desk
from projections.making import Maker


def scores(desk: Desk, question: str, known: int) -> dict[str, Score]:
    """Source id → score over all places, by id; ``known`` in microseconds since 1970."""
    maker = desk.views.maker(desk.loaded, desk.head, desk.directory, known)
    if known < recorded(desk):
        return scores_of(_made(desk, maker, maker.roots(), question))
    roots = {maker.families.root(place) for place in desk.beliefs.due(known)}
    due = {place for root in roots for place in maker.families.members(root)} if roots else set()
    ready = (row[1:] for row in desk.beliefs.scored(question) if row[0] not in due)
    return scores_of(chain(ready, _made(desk, maker, roots, question)))


def _made(desk: Desk, maker: Maker, roots: Iterable[str], question: str) -> Iterator[tuple[str, bytes]]:
    """(sources, counts) of the places of some families."""
    sizes = maker.roots() if roots else {}
    wanted = {root: sizes[root] for root in sorted(roots) if root in sizes}
    done, total = 0, sum(wanted.values())
    for some in maker.jobs(wanted):
        desk.views.progress("scoring", done, total)
        done += sum(wanted[root] for root in some)
        for _, asked, sources, counts in maker.score(some).scores:
            if asked == question:
                yield sources, counts
    desk.views.progress("scoring", total, total)
