"""Learning rates by step, of runs, plans or schedules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from bayescpt.data import Schedule, Study
from bayescpt.errors import PlanError
from bayescpt.forecast import Forecast, Plan
from bayescpt.present.canvas import add_legend, one_axes
from bayescpt.present.plain import plain_text
from bayescpt.present.style import DASHES, INK, colour, drawn_updates, folded, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

# Characters in a line of the legend.
LABEL = 36

type Schedules = Study | Forecast | Plan | Sequence[Plan] | Mapping[str, Schedule]


@plain_text
def schedules(source: Schedules, *, ax: Axes | None = None) -> Axes:
    """Draw learning rates by step.

    Parameters
    ----------
    source : Study, Forecast, Plan, sequence of Plan or mapping of str to Schedule
        What to draw: the runs of continual pre-training of a study (those of pre-training where
        there are no others), plans, or schedules by name.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on; by default those of a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        A line for each, different in colour and dashes.

    Raises
    ------
    PlanError
        If there is no schedule to draw.

    Examples
    --------
    >>> import bayescpt as bc
    >>> made = {"cosine": bc.schedules.cosine(2e-3, 500), "linear": bc.schedules.linear(2e-3, 500)}
    >>> [line.get_label() for line in bc.plot.schedules(made).lines]
    ['cosine', 'linear']
    """
    rates = _rates(source)
    if not rates:
        raise PlanError("no schedule to draw: give a study, plans, or schedules by name")
    chosen = one_axes(ax, 6.4, 3.4)
    lines = draw_rates(chosen, rates, {name: k for k, name in enumerate(rates)})
    add_legend([chosen], {folded(name, LABEL): line for name, line in lines.items()}, ax)
    return chosen


def draw_rates(
    ax: Axes, rates: Mapping[str, NDArray[np.float64]], look: Mapping[str, int]
) -> dict[str, Any]:
    """Draw learning rates on axes; lr[i] belongs to step i + 1.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        The axes.
    rates : mapping of str to ndarray, shape (n_steps,)
        Learning rates by name.
    look : mapping of str to int
        Number of the colour and the kind of line of each.

    Returns
    -------
    dict of str to artist
        Their lines.
    """
    tidy(ax)
    lines: dict[str, Any] = {}
    for name, lr in rates.items():
        steps = drawn_updates(len(lr))
        (lines[name],) = ax.plot(
            steps, lr[steps - 1], color=colour(look[name]), ls=line_kind(look[name]), lw=1.2,
            label=name,
        )  # fmt: skip
    ax.set_ylim(bottom=0)
    ax.ticklabel_format(axis="y", style="sci", scilimits=(-2, 2))
    ax.yaxis.get_offset_text().set_fontsize(8)
    ax.set_xlabel("step", fontsize=8.5, color=INK)
    ax.set_ylabel("learning rate", fontsize=8.5, color=INK)
    return lines


def line_kind(number: int) -> Any:
    """Kind of a line: in grey, neighbouring colours look alike.

    Parameters
    ----------
    number : int
        Number of the line, from 0.

    Returns
    -------
    str or tuple
        A line style of matplotlib.
    """
    # Not as many as colours, so that each pair comes back late.
    return DASHES[(number + number // 35) % len(DASHES)]


def _rates(source: Schedules) -> dict[str, NDArray[np.float64]]:
    """Learning rates by name."""
    if isinstance(source, Study):
        for names in (source.cpt_runs, source.pt_runs):
            found = {name: source.lrs[name] for name in names if name in source.lrs}
            if found:
                return {name: np.asarray(lr, dtype=float) for name, lr in found.items()}
        return {}
    if isinstance(source, Mapping):
        return {name: np.asarray(made.lr, dtype=float) for name, made in source.items()}
    if isinstance(source, Forecast):
        source = source.plans
    plans = [source] if isinstance(source, Plan) else source
    return {plan.name: np.asarray(plan.schedule.lr, dtype=float) for plan in plans}
