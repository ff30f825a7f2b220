"""What is assumed before anything is learnt (``Model``), and what was learnt (``Fit``).

Every number here is an assumption with a declared default; none is a fact. A source's relation to the states
is its *group*: the group's rows say how its members are expected to speak under each state.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from projections.belief.motion import Motion
from projections.learning.corpus import Corpus
from projections.learning.evidence import Flags, Floats, Ints


@dataclass(frozen=True, kw_only=True, eq=False)
class Model:
    """The assumptions under which a corpus is read. K states, L labels; arrays are not to be changed.

    rows                 (groups, K, L) p(label | state) expected of a group's voices. A label is either possible
                         under every state of a group or (0 throughout) never uttered by it.
    group                (voices,) the group of each voice.
    generator            (K, K) Q, rates of change per unit of time; all 0 for questions that never change.
    prior                (K,) probabilities of the states on the first step of a spot, above 0.
    strength             κ > 0: a voice's own rows are worth that many utterances under each state less than its
                         group's. Large: all alike; small: each learns for itself.
    group_strength       G0 > 0 (inf: fixed): what the group's expected rows are worth against its voices.
    copy_prior           (a, b) > 0: a voice copies an earlier utterance with a probability ~ Beta of this mean and
                         worth; its group's rate is pooled like the rows.
    copy_group_strength  > 0 (inf: fixed): what the mean of ``copy_prior`` is worth against the voices of a group.
    refresh_prior        (mean, worth) > 0: how often a display is redrawn, per unit of time, and how many redrawings
                         that expectation is worth. Gamma.
    prevalence_strength  > 0 (inf: fixed): what ``prior`` is worth, in spots, against learnt shares of the states.
    temperature_prior    (default, worth) > 0: what divides the logs of all evidence in an answer while nothing was
                         ruled, and the precision with which its log is held there against rulings.

    Raises ``ValueError`` for shapes that do not belong together and for values out of range.
    """

    rows: Floats
    group: Ints
    generator: Floats
    prior: Floats
    strength: float = 30.0
    group_strength: float = 300.0
    copy_prior: tuple[float, float] = (2.0, 4.0)
    copy_group_strength: float = 60.0
    refresh_prior: tuple[float, float] = (0.1, 5.0)
    prevalence_strength: float = math.inf
    temperature_prior: tuple[float, float] = (1.0, 2.0)

    def __post_init__(self) -> None:
        size = len(self.prior)
        if self.rows.ndim != 3 or self.rows.shape[1] != size or self.generator.shape != (size, size):
            raise ValueError("rows, generator and prior speak of one number of states")
        if self.group.size and not 0 <= self.group.min() <= self.group.max() < len(self.rows):
            raise ValueError("group: the position of each voice's group in rows")
        if (self.rows < 0).any() or not np.allclose(self.rows.sum(axis=2), 1.0, atol=1e-9):
            raise ValueError("rows: probabilities that sum to 1 under each state")
        possible = self.rows > 0
        if (possible.any(axis=1) != possible.all(axis=1)).any():
            raise ValueError("rows: a label that is possible under one state is possible under all")
        if not (self.prior > 0).all() or not math.isclose(self.prior.sum(), 1.0, abs_tol=1e-9):
            raise ValueError("prior: probabilities above 0 that sum to 1")
        worths = [self.strength, self.group_strength, self.copy_group_strength, self.prevalence_strength]
        pairs = (*self.copy_prior, *self.refresh_prior, *self.temperature_prior)
        if not all(value > 0 for value in (*worths, *pairs)) or math.isinf(self.strength):
            raise ValueError("strengths and priors are above 0, and a voice's strength is finite")

    @cached_property
    def motion(self) -> Motion:
        """The generator with its detailed balance worked out."""
        return Motion(self.generator)

    @property
    def copying(self) -> Floats:
        """How often a repeat is expected to be copied, and not to be, (2,)."""
        return np.array(self.copy_prior) / sum(self.copy_prior)

    @cached_property
    def possible(self) -> Flags:
        """Which labels a group may utter, (groups, L)."""
        return np.asarray(self.rows[:, 0] > 0)

    def check(self, corpus: Corpus) -> None:
        """Raises ``ValueError`` where the corpus speaks of what the model does not know."""
        if corpus.size != len(self.prior):
            raise ValueError(f"a corpus of {corpus.size} states under a model of {len(self.prior)}")
        labels = self.rows.shape[2]
        for voice, label in ((corpus.voice, corpus.label), (corpus.held_voice, corpus.held_label)):
            if voice.max(initial=-1) >= len(self.group) or label.max(initial=-1) >= labels:
                raise ValueError("a voice or label of the corpus is not in the model")
            if not self.possible[self.group[voice], label].all():
                raise ValueError("a voice utters a label that its group never utters")


@dataclass(frozen=True, kw_only=True, eq=False)
class Fit:
    """What was learnt. Voices as in ``Model.group``; K states, L labels.

    logs         (voices, K, L) ln p(label | state) as each voice's utterances weigh; −inf where impossible.
    group_logs   (groups, K, L) the same of the groups.
    copy_logs    (voices, 2) ln of how often a repeat is copied, and of how often it is not.
    group_copy   (groups,) the groups' rates of copying.
    refresh      (voices,) how often displays are redrawn, per unit of time.
    prior_logs   (K,) ln of the learnt prevalence, or of the fixed prior.
    temperature  what divides the logs of all evidence in an answer; the model's default until calibrated.
    trace        the objective after each expectation; never falls.
    iterations   how many times everything was learnt anew.
    """

    logs: Floats
    group_logs: Floats
    copy_logs: Floats
    group_copy: Floats
    refresh: Floats
    prior_logs: Floats
    temperature: float = 1.0
    trace: tuple[float, ...] = ()
    iterations: int = 0

    @property
    def copy_rate(self) -> Floats:
        """How often a voice's repeats are copied, (voices,)."""
        return np.asarray(np.exp(self.copy_logs[:, 0]))

    def grown(self, model: Model) -> Fit:
        """The fit with a place for every voice of ``model``; those that it does not know speak as their groups.

        Voices keep their numbers. Raises ``ValueError`` where states, labels or groups are not the model's.
        """
        if self.group_logs.shape != model.rows.shape or len(self.logs) > len(model.group):
            raise ValueError("a fit of another model: other groups, states or labels, or more voices")
        new = model.group[len(self.logs) :]
        if not len(new):
            return self
        copying = np.stack([self.group_copy, 1 - self.group_copy], axis=1)
        with np.errstate(divide="ignore"):
            copy_logs = np.log(copying[new])
        return replace(
            self,
            logs=np.concatenate([self.logs, self.group_logs[new]]),
            copy_logs=np.concatenate([self.copy_logs, copy_logs]),
            refresh=np.concatenate([self.refresh, np.full(len(new), model.refresh_prior[0])]),
        )
