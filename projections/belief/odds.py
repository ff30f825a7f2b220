"""Why one state is believed over another: the log-odds of a chain taken apart, exactly.

Between two states a and b, ln(P(a)/P(b)) telescopes along the chain: each contribution adds its
log-likelihood ratio, each stretch of time changes the odds by what can be computed on its own, and the sum is
the total. For hindsight the backward pass telescopes in the same way from the last event back to the day
asked about.

A stretch with displays changes the odds by more than motion alone would. That difference belongs to the
displays, shared by how strongly each tells a from b. Where displays disagree, those for a and those for b are
two camps, each given its Shapley value: its effect averaged over whether the other camp is there.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from projections.belief.spoken import Key, Logs

if TYPE_CHECKING:
    from projections.belief.chain import Chain, Point

_EQUAL = 1e-12
"""Rates closer than this, relative to the larger ones, tell neither state from the other."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """Where ln(P(a)/P(b)) comes from, in nats; positive speaks for a.

    ``prior + Σ terms + Σ display_terms + staleness = total`` but for rounding. A term is the log-likelihood
    ratio of a key's contributions, a display's term what it changed while in force beyond motion alone;
    ``staleness`` is what time has taken from the odds, or given to them. The prior is uniform, so 0.
    """

    prior: float
    terms: tuple[tuple[Key, float], ...]
    display_terms: tuple[tuple[Key, float], ...]
    staleness: float
    total: float


def explain(chain: Chain, day: int, a: int, b: int, hindsight: bool) -> Explanation:
    """The explanation of ``chain.filtered(day)``, or of ``chain.smoothed(day)`` with ``hindsight``.

    Keys that contribute nothing up to ``day`` are left out unless in hindsight; so are displays that begin on
    ``day`` or later.
    """
    if chain.empty(day):
        return Explanation(0.0, (), (), 0.0, 0.0)
    walk = _Walk(chain, a, b)
    end = walk.forward(day)
    total = end[a] - end[b]
    if hindsight:
        later = walk.backward(day)
        total += later[a] - later[b]
    terms = tuple(
        (key, math.fsum(logs[a] - logs[b] for on, logs in by_day.items() if hindsight or on <= day))
        for key, by_day in chain.spoken.contributions.items()
        if hindsight or min(by_day) <= day
    )
    return Explanation(0.0, terms, tuple(walk.displays.items()), walk.staleness, total)


class _Walk:
    """Books every change that time makes to the odds while walking along a chain."""

    def __init__(self, chain: Chain, a: int, b: int) -> None:
        self.chain, self.a, self.b = chain, a, b
        self.staleness = 0.0
        self.displays: dict[Key, float] = {}

    def forward(self, day: int) -> Logs:
        """From the first breakpoint to ``day``; returns ln α there."""
        chain, days = self.chain, self.chain.spoken.days
        index = 0
        while index + 1 < len(days) and days[index + 1] <= day:
            here, there = chain.point(index), chain.point(index + 1)
            self.stretch(here, days[index + 1] - days[index], here.after, there.before)
            index += 1
        end = chain.alpha(day)
        if day > days[index]:
            self.stretch(chain.point(index), day - days[index], chain.point(index).after, end)
        return end

    def backward(self, day: int) -> Logs:
        """From the last breakpoint back to ``day``; returns ln β there."""
        chain, days = self.chain, self.chain.spoken.days
        index = len(days) - 1
        while index > 0 and days[index] > day:
            at = max(day, days[index - 1])
            self.stretch(
                chain.point(index - 1), days[index] - at, chain.seen(index), chain.beta(at), back=True
            )
            index -= 1
        return chain.beta(day)

    def stretch(self, point: Point, dt: int, start: Logs, end: Logs, *, back: bool = False) -> None:
        """Book ``dt`` days behind ``point``, over which the logs went from ``start`` to ``end``."""
        begin = self.ratio(start)
        change = self.ratio(end) - begin
        if not point.rates:
            self.staleness += change
            return
        pure = self.ratio(self.chain.move(start, dt, (), back=back)) - begin
        self.staleness += pure
        contrasts = {key: self.contrast(key) for key in point.active}
        camps = [{k: c for k, c in contrasts.items() if sign * c > 0} for sign in (1, -1)]
        if not all(camps):
            self.share(camps[0] or camps[1] or contrasts, change - pure)
            return
        one, other = (
            self.ratio(self.chain.move(start, dt, self.chain.spoken.rates(camp), back=back)) - begin
            for camp in camps
        )
        first = (one - pure + change - other) / 2
        self.share(camps[0], first)
        self.share(camps[1], change - pure - first)

    def share(self, camp: Mapping[Key, float], nats: float) -> None:
        """Divide what a camp changed by the contrast of its displays, evenly where none has any."""
        total = math.fsum(map(abs, camp.values()))
        for key, contrast in camp.items():
            part = abs(contrast) / total if total else 1 / len(camp)
            self.displays[key] = self.displays.get(key, 0.0) + nats * part

    def contrast(self, key: Key) -> float:
        """How much faster a display would give itself away under b than under a, per day."""
        rates = self.chain.spoken.displays[key].rates
        contrast = rates[self.b] - rates[self.a]
        return contrast if abs(contrast) > _EQUAL * max(rates) else 0.0

    def ratio(self, logs: Logs) -> float:
        return logs[self.a] - logs[self.b]
