"""Pictures of answers as SVG: one file that needs nothing else, the same bytes for the same numbers.

A *reliability diagram* (Murphy & Winkler 1977; the form of Guo et al. 2017) has, for each bin of confidence,
the share of days that were right over the mean confidence: on the diagonal, of the days of which 70% was
believed, 70% were right. Under it lies the other axis: below it beliefs were too sure. The bars at the foot
count the days of each bin, without which a point says little; a point of few days is hollow. Upright lines
are the intervals of the shares.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from ledger.text import visible
from projections.intervals import Bin

_SIDE = 240.0  # of the square in which points lie
_FOOT = 46.0  # height of the counts
_LEFT, _TOP, _GAP, _BELOW, _RIGHT = 58.0, 52.0, 24.0, 46.0, 22.0
_WIDTH, _HEIGHT = _LEFT + _SIDE + _RIGHT, _TOP + _SIDE + _GAP + _FOOT + _BELOW
_HEAD = 58.0
#: A point of fewer days is drawn hollow and left out of the line.
FEW_DAYS = 10
_LONGEST = 44  # characters of a panel's title

_STYLE = """\
text { font: 12px system-ui, "DejaVu Sans", Arial, sans-serif; fill: #222 }
.head { font-size: 15px; font-weight: 600 }
.name { font-size: 13px; font-weight: 600 }
.small { font-size: 10px; fill: #555 }
.end { text-anchor: end }
.mid { text-anchor: middle }
.frame { fill: none; stroke: #999 }
.grid { stroke: #e4e4e4 }
.even { stroke: #777; stroke-dasharray: 4 4 }
.line { fill: none; stroke: #1f5fa8; stroke-width: 1.5 }
.point { fill: #1f5fa8; stroke: #fff; stroke-width: 1 }
.few { fill: #fff; stroke: #1f5fa8; stroke-width: 1 }
.range { stroke: #1f5fa8; stroke-width: 1.25 }
.count { fill: #9db8d6 }"""


@dataclass(frozen=True)
class Panel:
    """One reliability diagram: its two lines of title, and its bins in order."""

    title: str
    subtitle: str
    bins: Sequence[Bin]


def reliability_diagram(title: str, caption: str, panels: Sequence[Panel], columns: int) -> str:
    """An SVG with the panels in rows of ``columns``; all texts are escaped here."""
    rows = -(-len(panels) // columns)
    width, height = columns * _WIDTH, _HEAD + rows * _HEIGHT
    size = f'width="{_n(width)}" height="{_n(height)}" viewBox="0 0 {_n(width)} {_n(height)}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">',
        f"<title>{_text(title)}</title>",
        f"<style>\n{_STYLE}\n</style>",
        f'<rect width="{_n(width)}" height="{_n(height)}" fill="#fff"/>',
        _label(14, 25, title, "head"),
        _label(14, 44, caption, "small"),
    ]
    for n, panel in enumerate(panels):
        x, y = n % columns * _WIDTH, _HEAD + n // columns * _HEIGHT
        lines += [f'<g transform="translate({_n(x)} {_n(y)})">', *_panel(panel), "</g>"]
    return "\n".join([*lines, "</svg>", ""])


def _panel(panel: Panel) -> Iterator[str]:
    title = panel.title if len(panel.title) <= _LONGEST else f"{panel.title[: _LONGEST - 1]}…"
    yield _label(_LEFT, 20, title, "name")
    yield _label(_LEFT, 38, panel.subtitle, "small")
    yield from _axes()
    points = [(one, one.confidence, one.right) for one in panel.bins if one.confidence is not None]
    for _, confidence, right in points:
        if right.low is not None and right.high is not None:
            yield _line(_x(confidence), _y(right.low), _x(confidence), _y(right.high), "range")
    joined = [(sure, right.value or 0.0) for one, sure, right in points if one.rows >= FEW_DAYS]
    if len(joined) > 1:
        track = " ".join(f"{_n(_x(sure))},{_n(_y(share))}" for sure, share in joined)
        yield f'<polyline class="line" points="{track}"/>'
    for one, confidence, right in points:
        share = right.value or 0.0
        told = f"{one.rows:,} days believed at {confidence:.3f} on average, {share:.3f} of them right"
        at = f'cx="{_n(_x(confidence))}" cy="{_n(_y(share))}"'
        kind = "point" if one.rows >= FEW_DAYS else "few"
        yield f'<circle class="{kind}" {at} r="4"><title>{_text(told)}</title></circle>'
    yield from _counts(panel.bins)
    if not points:
        yield _label(_LEFT + _SIDE / 2, _TOP + _SIDE / 2, "nothing is believed of any day", "mid")


def _axes() -> Iterator[str]:
    for tick in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0):
        if 0 < tick < 1:
            yield _line(_x(tick), _y(0), _x(tick), _y(1), "grid")
            yield _line(_x(0), _y(tick), _x(1), _y(tick), "grid")
        yield _label(_LEFT - 6, _y(tick) + 4, f"{tick:.1f}", "small end")
        yield _label(_x(tick), _TOP + _SIDE + _GAP + _FOOT + 14, f"{tick:.1f}", "small mid")
    yield _line(_x(0), _y(0), _x(1), _y(1), "even")
    yield f'<rect class="frame" x="{_n(_LEFT)}" y="{_n(_TOP)}" width="{_n(_SIDE)}" height="{_n(_SIDE)}"/>'
    middle = _TOP + _SIDE / 2
    yield (
        f'<text class="mid" transform="translate({_n(18)} {_n(middle)}) rotate(-90)">share of days right</text>'
    )
    yield _label(_LEFT + _SIDE / 2, _HEIGHT - 10, "probability of the believed state", "mid")


def _counts(bins: Sequence[Bin]) -> Iterator[str]:
    floor = _TOP + _SIDE + _GAP + _FOOT
    most = max((one.rows for one in bins), default=0)
    for one in bins:
        if one.rows:
            tall = max(_FOOT * one.rows / most, 1.0)
            x, width = _x(one.over) + 1, _x(one.to) - _x(one.over) - 2
            yield (
                f'<rect class="count" x="{_n(x)}" y="{_n(floor - tall)}"'
                f' width="{_n(width)}" height="{_n(tall)}"/>'
            )
            yield _label(x + width / 2, floor - tall - 3, _short(one.rows), "small mid")
    yield _line(_LEFT, floor, _LEFT + _SIDE, floor, "frame")
    yield _label(_LEFT - 6, floor, "days", "small end")


def _x(value: float) -> float:
    return _LEFT + _SIDE * value


def _y(value: float) -> float:
    return _TOP + _SIDE * (1 - value)


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    return f'<line class="{kind}" x1="{_n(x1)}" y1="{_n(y1)}" x2="{_n(x2)}" y2="{_n(y2)}"/>'


def _label(x: float, y: float, text: str, kind: str) -> str:
    return f'<text class="{kind}" x="{_n(x)}" y="{_n(y)}">{_text(text)}</text>'


def _text(text: str) -> str:
    return escape(visible(text, keep_newlines=False))


def _short(count: int) -> str:
    """A count in at most four characters or so: 950, 1.2k, 35k, 1.2M."""
    for unit, name in ((1_000_000, "M"), (1_000, "k")):
        if count >= unit:
            return f"{count / unit:.1f}{name}" if count < 10 * unit else f"{count // unit}{name}"
    return str(count)


def _n(value: float) -> str:
    """A coordinate in hundredths, without trailing zeros."""
    return f"{value:.2f}".rstrip("0").rstrip(".")
