"""What a campaign found: one figure a promise."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from time import perf_counter
from typing import Any

_SHOWN = 8  # stories of one figure that are told; a broken promise tends to be broken many times

_LONGEST = 300


@dataclass(slots=True)
class Figure:
    """One line of the result. ``lost`` and ``undetected`` count entries and changes; ``broken`` lists, in words,
    whatever the promise excludes; ``expected`` turns the figure round: a control in which losses must be seen."""

    campaign: str
    what: str
    trials: int = 0
    acknowledged: int = 0
    lost: int = 0
    undetected: int = 0
    seconds: float = 0.0
    expected: bool = False
    skipped: str | None = None
    notes: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)

    @property
    def held(self) -> bool:
        """Whether the promise was kept; of a control, whether it showed what it must show."""
        if self.skipped:
            return True
        if self.expected:
            return self.lost > 0 and not self.broken
        return not (self.lost or self.undetected or self.broken)

    @property
    def verdict(self) -> str:
        if self.skipped:
            return f"skipped: {self.skipped}"
        if self.expected:
            return "loss shown, as it must be" if self.held else "BROKEN CAMPAIGN: no loss was shown"
        return "held" if self.held else "BROKEN"

    def fault(self, story: str) -> None:
        """Keep what went wrong, in words."""
        self.broken.append(story if len(story) < _LONGEST else f"{story[:100]} … {story[-_LONGEST:]}")

    def to_dict(self) -> dict[str, Any]:
        return {
            **asdict(self),
            "broken": self.broken[:_SHOWN],
            "faults": len(self.broken),
            "verdict": self.verdict,
        }

    def line(self) -> str:
        counts = (
            f"{self.trials:,} trials, {self.acknowledged:,} acknowledged, {self.lost:,} lost, "
            f"{self.undetected:,} undetected, {self.seconds:.1f} s"
        )
        said = [
            f"{self.campaign}: {self.what}: {counts}: {self.verdict}",
            *(f"  {note}" for note in self.notes),
        ]
        said += [f"  broken: {story}" for story in self.broken[:_SHOWN]]
        if len(self.broken) > _SHOWN:
            said.append(f"  and {len(self.broken) - _SHOWN} more")
        return "\n".join(said)


@contextmanager
def taking_time(*figures: Figure) -> Iterator[None]:
    """Add the seconds of the block to each figure."""
    begun = perf_counter()
    try:
        yield
    finally:
        for one in figures:
            one.seconds = round(one.seconds + perf_counter() - begun, 2)


def shares(count: int, parts: Sequence[int]) -> list[int]:
    """``count`` divided as ``parts`` say; none is left with nothing to do, where there is anything to do at all."""
    whole = sum(parts)
    return [max(1, round(count * part / whole)) for part in parts]
