"""A view made by many: planned here, judged elsewhere, and written here as a local replay writes it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import orjson

from ledger.buckets.folder import Folder
from ledger.directory import Directory
from ledger.places import Location
from projections import lookup
from projections.belief.voices import Learnt
from projections.cluster import plan
from projections.cluster.engines import Engine
from projections.cluster.recipe import Recipe
from projections.cluster.spool import Spool
from projections.cluster.tasks import Order
from projections.lessons import Ask, learn_from
from projections.making import Maker, jobs
from projections.registry import Loaded
from projections.view import Stamp, View, pinned, spool_of

if TYPE_CHECKING:
    from projections.views import Progress, Views


@dataclass(frozen=True)
class Cluster:
    """Who makes views, and of what: an export in a folder, else the ledger itself, where it lies."""

    engine: Engine
    place: Location
    folder: Folder | None = None

    def rebuild(
        self,
        views: Views,
        view: View,
        maker: Callable[[], Maker],
        loaded: Loaded,
        directory: Directory,
        goal: Stamp,
        known: int,
    ) -> None:
        """Fill a candidate. ``maker`` makes one of ours, whose cache has to read the ledger first: it is asked for only
        where there is no export."""
        survey = self._survey(views, maker, goal)
        tasks = plan.tasks(survey, directory)
        order = Order(
            goal.anchor.ledger, goal.position, known, Recipe.of(loaded), _registry(views, goal.position)
        )
        if loaded.logic.learns:
            learn = partial(self._learnt, order, survey, directory, loaded, views.progress)
            order = replace(order, learnt=views.teach(view, loaded, known, learn).learnt)
        spool = Spool(spool_of(view.path), pinned(goal), tasks)
        try:
            done = spool.done()
            left = [one for one in tasks if one.key not in done]
            of = max(1, sum(one.rows for one in tasks))
            rows = sum(one.rows for one in tasks if one.key in done)
            views.progress(f"{loaded.logic.id} by {self.engine.name}", rows, of)
            if left:
                with closing(self.engine.run(order, left)) as results:
                    for task, result in results:
                        spool.put(task, result)
                        rows += task.rows
                        views.progress(f"{loaded.logic.id} by {self.engine.name}", min(rows, of), of)
            self._write(views, view, spool, loaded, directory, goal)
        finally:
            spool.close()

    def _learnt(
        self, order: Order, survey: plan.Survey, directory: Directory, loaded: Loaded, tell: Progress
    ) -> Learnt:
        """What a logic that learns is taught: heard and counted by the workers, each in some slots, and added up here."""
        ranges = plan.ranges(survey, directory, self.engine.workers)
        with self.engine.pupils(order, ranges) as ask:
            heard = _telling(ask, len(ranges), tell)
            return learn_from(heard, directory, loaded.logic.params, order.head, tell)

    def _survey(self, views: Views, maker: Callable[[], Maker], goal: Stamp) -> plan.Survey:
        if self.folder is not None:
            return plan.of_folder(self.folder, views.ledger, goal.anchor.ledger, goal.position)
        return plan.of_ledger(self.place, views.ledger, maker().envelopes)

    def _write(
        self, views: Views, view: View, spool: Spool, loaded: Loaded, directory: Directory, goal: Stamp
    ) -> None:
        """What the workers made, in the order and the transactions of a local replay."""
        from projections.columns.testimony import Families

        families, roots = Families(directory), spool.roots()
        finished = view.finished()
        of = max(1, sum(roots.values()))
        done = 0
        for n, some in enumerate(jobs(roots)):
            views.progress("writing the view", done, of)
            done += sum(roots[root] for root in some)
            if n >= finished:
                made = spool.made([place for root in some for place in families.members(root)])
                with view.transaction():
                    view.put(made)
                    view.finish(n + 1)
        with view.transaction():
            view.seal(spool.strange(), goal)
            corrected: Callable[[int], list[str]] = lambda after: spool.redated()  # noqa: E731 - all of them
            lookup.save(view.db, loaded, directory, corrected, goal.position)
        views.progress("writing the view", of, of)


def _telling(ask: Ask, pupils: int, tell: Progress) -> Ask:
    """Says how far it is as long as pupils read and hear."""
    answered = 0

    def telling(what: str, *given: Any) -> Iterable[Any]:
        nonlocal answered
        for found in ask(what, *given):
            if what in ("arrivals", "hear"):
                answered += 1
                tell("hearing what is learnt from", answered, 2 * pupils)
            yield found

    return telling


def _registry(views: Views, upto: int) -> tuple[tuple[int, bytes, bytes], ...]:
    """What the directory is folded from, with the names that stand in bodies."""
    return tuple(
        (recorded.position, leaf, orjson.dumps(body))
        for recorded, leaf, body in views.ledger.registry()
        if recorded.position <= upto
    )
