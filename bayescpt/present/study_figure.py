"""Loss curves and learning rates of a study."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bayescpt.data.units import loss_label
from bayescpt.errors import StudyError
from bayescpt.present.legend import figure_legend
from bayescpt.present.plain import plain_text
from bayescpt.present.style import INK, MARKERS, colour, drawn_updates, new_figure, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from bayescpt.data import Study

_LINES = ("-", "--", "-.", ":")
_POINTS = 400  # of a curve; more cannot be told apart


@plain_text
def draw_study(study: Study) -> Figure:
    """Draw what a study holds: a panel of loss curves per domain, and one of learning rates.

    Parameters
    ----------
    study : Study
        The study.

    Returns
    -------
    matplotlib.figure.Figure
        A figure outside pyplot's state; save it with ``savefig``. Each run has one colour and one
        kind of line in all panels; the legend names them, and which are pre-training. A mark stands
        at the last observed loss of a run in flight.

    Raises
    ------
    StudyError
        If the study has neither a loss nor a learning rate.

    Examples
    --------
    >>> from bayescpt.data import load_example
    >>> from bayescpt.present import draw_study
    >>> figure = draw_study(load_example("cpt_micro"))
    >>> [ax.get_title(loc="left") for ax in figure.axes]
    ['general', 'german', 'code', 'learning rate']
    """
    phases = [
        names
        for names in (study.cpt_runs, study.pt_runs)
        if any(study.has_curve(name) or name in study.lrs for name in names)
    ]
    if not phases:
        raise StudyError(f"study {study.name!r}: nothing to draw: no loss and no learning rate")
    names = [n for part in phases for n in part if study.has_curve(n) or n in study.lrs]
    look = {name: k for k, name in enumerate(names)}
    # Pre-training is much longer, and on another scale: it is drawn only where it is all there is.
    drawn = [n for n in phases[0] if n in look]
    domains = [d for d in study.domains if any(len(study.curve(n, d)) for n in drawn)]
    panels = [*domains, None] if any(n in study.lrs for n in drawn) else [*domains]
    columns = min(3, len(panels))
    rows = -(-len(panels) // columns)
    fig = new_figure(0.8 + 3.4 * columns, 0.7 + 2.5 * rows)
    entries: dict[str, object] = {}
    for k, domain in enumerate(panels):
        ax = fig.add_subplot(rows, columns, k + 1)
        for name in drawn:
            if domain is None:
                _learning_rate(ax, study, name, look[name])
            else:
                _curve(ax, study, name, domain, look[name], entries)
        ax.set_title(domain or "learning rate", fontsize=9, color=INK, loc="left")
        unit = loss_label(study.loss_unit)
        ax.set_ylabel("learning rate" if domain is None else unit, fontsize=8.5, color=INK)
        ax.set_xlabel("step", fontsize=8.5, color=INK)
        if domain is None:
            ax.set_ylim(bottom=0)
            ax.ticklabel_format(axis="y", style="sci", scilimits=(-2, 2))
            ax.yaxis.get_offset_text().set_fontsize(8)
        tidy(ax)
    figure_legend(fig, entries, columns=min(4, max(1, len(entries))))
    return fig


def _curve(
    ax: Axes, study: Study, name: str, domain: str, number: int, entries: dict[str, object]
) -> None:
    curve = study.curve(name, domain)
    if curve.empty:
        return
    some = np.unique(np.linspace(0, len(curve) - 1, _POINTS).round().astype(int))
    steps, loss = curve["step"].to_numpy()[some], curve["loss"].to_numpy()[some]
    (line,) = ax.plot(steps, loss, color=colour(number), ls=_line(number), lw=1.2, label=name)
    if len(curve) == 1 or curve["step"].iloc[-1] < 0.95 * study.run(name).steps:
        ax.plot(
            steps[-1:], loss[-1:], marker=MARKERS[number % len(MARKERS)], ms=4, color=colour(number)
        )
    entries.setdefault(name, line)


def _learning_rate(ax: Axes, study: Study, name: str, number: int) -> None:
    schedule = study.run(name).schedule
    if schedule is None:
        return
    steps = drawn_updates(schedule.n_steps)
    ax.plot(steps, schedule.lr[steps - 1], color=colour(number), ls=_line(number), lw=1.2)


def _line(number: int) -> str:
    """Kind of line: in grey, neighbouring colours look alike."""
    return _LINES[number % len(_LINES)]
