"""Charts of an explorer as SVG, written directly: a figure of matplotlib takes longer than a move.

The colours are CSS variables, so that a chart follows the page into the dark.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bayescpt.data import Schedule
from bayescpt.data.units import unit_name
from bayescpt.present.explorer.view import Curve
from bayescpt.present.report.text import escape

Array = NDArray[np.float64]

WIDTH, HEIGHT, RATE_HEIGHT = 440.0, 280.0, 92.0
LEFT, RIGHT, TOP, BOTTOM = 62.0, 20.0, 10.0, 36.0
# Where a run starts, its loss falls far: the scale begins after this share of its steps.
SKIPPED = 0.05
# Space above and below what is drawn, as a share of its range.
ROOM = 0.08
TICKS = 5


@dataclass(frozen=True)
class Scale:
    """Positions of values along one axis of a chart.

    Attributes
    ----------
    low, high : float
        Ends of the axis.
    first, last : float
        Where they lie.
    """

    low: float
    high: float
    first: float
    last: float

    def __call__(self, values: float | Array | NDArray[np.int64]) -> Array:
        """Positions of some values."""
        share = (np.asarray(values, dtype=float) - self.low) / (self.high - self.low)
        return np.asarray(self.first + share * (self.last - self.first))

    def ticks(self) -> list[float]:
        """About `TICKS` round numbers between the ends."""
        size = (self.high - self.low) / TICKS
        unit = 10.0 ** np.floor(np.log10(size))
        step = min((1, 2, 2.5, 5, 10), key=lambda factor: abs(factor * unit - size)) * unit
        inside = np.arange(np.ceil(self.low / step - 1e-9), np.floor(self.high / step + 1e-9) + 1)
        # 0 without a sign.
        return [float(f"{value:.12g}") + 0.0 for value in inside * step]


def loss_chart(curve: Curve, unit: str, outside: int | None) -> str:
    """Bands of the loss on one domain.

    Parameters
    ----------
    curve : Curve
        What is drawn: bands, goal, pilots.
    unit : str
        Unit of the losses, as in `Study.loss_unit`.
    outside : int or None
        First step outside the range of the pilots.

    Returns
    -------
    str
        An ``<svg>`` with its text alternative.
    """
    x = Scale(0.0, float(curve.steps[-1]), LEFT, WIDTH - RIGHT)
    y = Scale(*_loss_range(curve), HEIGHT - BOTTOM, TOP)
    parts = [_grid(x, y, HEIGHT, "step", f"loss ({unit_name(unit)})")]
    parts.append(f"<svg {_box(HEIGHT)}>")
    if outside is not None:
        edge = float(x(min(max(outside - 1, 0), x.high)))
        parts.append(
            f'<rect class="outside" x="{edge:.1f}" y="{TOP}" width="{WIDTH - RIGHT - edge:.1f}" '
            f'height="{HEIGHT - TOP - BOTTOM}"/>'
        )
    parts += [
        f'<polyline class="pilot" points="{_points(x(steps), y(losses))}">'
        f"<title>{escape(name)}</title></polyline>"
        for name, (steps, losses) in curve.pilots.items()
    ]
    at = x(curve.steps)
    for p, (lower, upper) in sorted(curve.bands.items(), reverse=True):
        around = _points(np.r_[at, at[::-1]], y(np.r_[lower, upper[::-1]]))
        parts.append(f'<polygon class="band b{p * 100:.0f}" points="{around}"/>')
    parts.append(f'<polyline class="median" points="{_points(at, y(curve.median))}"/>')
    if curve.level is not None:
        line = f"{float(y(curve.level)):.1f}"
        parts.append(
            f'<line class="goal" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{line}" y2="{line}"/>'
        )
    parts.append("</svg>")
    return _svg(HEIGHT, _said(curve, unit), parts)


def rate_chart(schedule: Schedule) -> str:
    """Learning rate along the recipe.

    Parameters
    ----------
    schedule : Schedule
        The schedule.

    Returns
    -------
    str
        An ``<svg>`` with its text alternative.
    """
    n = schedule.n_steps
    at = np.unique(np.linspace(0, n - 1, 200).round().astype(int))
    x = Scale(0.0, float(n), LEFT, WIDTH - RIGHT)
    y = Scale(0.0, max(schedule.peak_lr, 1e-12) * (1 + ROOM), RATE_HEIGHT - BOTTOM, TOP)
    middle = y.high / (1 + ROOM)
    parts = [
        _grid(x, y, RATE_HEIGHT, "step", "", marks=[0.0, middle]),
        f'<polyline class="rate" points="{_points(x(at + 1), y(schedule.lr[at]))}"/>',
    ]
    said = f"Learning rate over {n:,} steps: peak {schedule.peak_lr:g}, last {schedule.final_lr:g}"
    return _svg(RATE_HEIGHT, said, parts)


def _loss_range(curve: Curve) -> tuple[float, float]:
    """Ends of the axis: the widest band, and the goal and ends of pilots where they are near."""
    shown = curve.steps > SKIPPED * curve.steps[-1]
    lower, upper = curve.bands[max(curve.bands)]
    found = [float(lower[shown].min()), float(upper[shown].max())]
    size = max(found[1] - found[0], 1e-3 * abs(found[1]))
    near = [float(losses[-1]) for _, losses in curve.pilots.values()]
    if curve.level is not None:
        near.append(curve.level)
    found += [value for value in near if found[0] - size < value < found[1] + size]
    low, high = min(found), max(found)
    room = ROOM * max(high - low, 1e-3 * abs(high), 1e-9)
    return low - room, high + room


def _grid(
    x: Scale, y: Scale, height: float, below: str, beside: str, marks: list[float] | None = None
) -> str:
    """Grid lines, numbers and names of the axes."""
    ground = height - BOTTOM
    out = []
    for value in y.ticks() if marks is None else marks:
        at = float(y(value))
        out.append(
            f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at:.1f}" y2="{at:.1f}"/>'
        )
        out.append(f'<text x="{LEFT - 6}" y="{at + 4:.1f}" text-anchor="end">{value:.5g}</text>')
    for value in x.ticks():
        at = float(x(value))
        out.append(
            f'<text x="{at:.1f}" y="{ground + 15:.1f}" text-anchor="middle">{_count(value)}</text>'
        )
    out.append(
        f'<text class="axis" x="{(LEFT + WIDTH - RIGHT) / 2}" y="{height - 5}" '
        f'text-anchor="middle">{escape(below)}</text>'
    )
    middle = (TOP + ground) / 2
    out.append(
        f'<text class="axis" transform="translate(11 {middle}) rotate(-90)" '
        f'text-anchor="middle">{escape(beside)}</text>'
    )
    return "".join(out)


def _count(value: float) -> str:
    """Steps: 1000, 20k, 1.5M."""
    for size, name in ((1e6, "M"), (1e4, "k")):
        if value >= size:
            return f"{value / (1e3 if name == 'k' else size):g}{name}"
    return f"{value:g}"


def _points(x: Array, y: Array) -> str:
    return " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))


def _box(height: float) -> str:
    """A view of the plotting area only: what leaves it is cut off."""
    width, tall = WIDTH - LEFT - RIGHT, height - TOP - BOTTOM
    return (
        f'x="{LEFT}" y="{TOP}" width="{width}" height="{tall}" '
        f'viewBox="{LEFT} {TOP} {width} {tall}"'
    )


def _svg(height: float, said: str, parts: list[str]) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH:g} {height:g}" role="img" aria-label="{escape(said)}">'
        f"{''.join(parts)}</svg>"
    )


def _said(curve: Curve, unit: str) -> str:
    """The chart in words."""
    low, middle, high = curve.last
    goal = "" if curve.level is None else f"; at most {curve.level:.4g} wanted"
    return (
        f"Loss on {curve.domain} over {curve.steps[-1]:,} steps: ends at {middle:.4g} "
        f"{unit_name(unit)}, 90% band {low:.4g} to {high:.4g}{goal}"
    )
