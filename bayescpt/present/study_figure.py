"""Loss curves and learning rates of a study."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from bayescpt.data.units import loss_label
from bayescpt.errors import StudyError
from bayescpt.present.canvas import PAGE, add_legend, given_axes, new_figure, panel_array
from bayescpt.present.plain import plain_text
from bayescpt.present.rates import draw_rates, line_kind
from bayescpt.present.style import INK, MARKERS, TITLE, colour, folded, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from bayescpt.data import Study

_POINTS = 400  # of a curve; more cannot be told apart


@plain_text
def study(study: Study, *, axes: Any = None) -> Any:
    """Draw what a study holds: a panel of loss curves per domain, and one of learning rates.

    Parameters
    ----------
    study : Study
        The study.
    axes : array_like of matplotlib.axes.Axes, optional
        Axes to draw on, one for each panel; by default those of a new figure.

    Returns
    -------
    ndarray of matplotlib.axes.Axes, shape (n_panels,)
        Domains with losses, then learning rates. Each run has one colour and one kind of line in
        all panels; the legend names them. Pre-training is drawn only where it is all there is. A
        mark stands at the last observed loss of a run in flight.

    Raises
    ------
    StudyError
        If the study has neither a loss nor a learning rate.
    PlanError
        If there are more or fewer axes than panels.

    Examples
    --------
    >>> import bayescpt as bc
    >>> axes = bc.plot.study(bc.load_example("cpt_micro"))
    >>> [ax.get_title(loc="left") for ax in axes]
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
    with_rates = [n for n in drawn if n in study.lrs]
    panels = [*domains, *(["learning rate"] if with_rates else [])]
    chosen = _new_axes(len(panels)) if axes is None else given_axes(axes, panels)
    entries: dict[str, object] = {}
    for domain, ax in zip(domains, chosen, strict=False):
        for name in drawn:
            _curve(ax, study, name, domain, look[name], entries)
        ax.set_title(folded(domain, TITLE), fontsize=9, color=INK, loc="left")
        ax.set_ylabel(loss_label(study.loss_unit), fontsize=8.5, color=INK)
        ax.set_xlabel("step", fontsize=8.5, color=INK)
        tidy(ax)
    if with_rates:
        rates = {name: np.asarray(study.lrs[name], dtype=float) for name in with_rates}
        lines = draw_rates(chosen[-1], rates, look)
        # A run without a loss is in this panel only.
        entries |= {name: line for name, line in lines.items() if name not in entries}
        chosen[-1].set_title("learning rate", fontsize=9, color=INK, loc="left")
    add_legend(chosen, entries, axes, columns=4)
    return panel_array(chosen)


def _new_axes(n: int) -> list[Axes]:
    """Axes of a new figure, up to three in a row."""
    columns = 2 if n == 4 else min(3, n)
    rows = -(-n // columns)
    fig = new_figure(min(PAGE[0], 0.8 + 3.4 * columns), 0.7 + 2.5 * rows)
    return [fig.add_subplot(rows, columns, k + 1) for k in range(n)]


def _curve(
    ax: Axes, study: Study, name: str, domain: str, number: int, entries: dict[str, object]
) -> None:
    curve = study.curve(name, domain)
    if curve.empty:
        return
    some = np.unique(np.linspace(0, len(curve) - 1, _POINTS).round().astype(int))
    steps, loss = curve["step"].to_numpy()[some], curve["loss"].to_numpy()[some]
    (line,) = ax.plot(steps, loss, color=colour(number), ls=line_kind(number), lw=1.2, label=name)
    if len(curve) == 1 or curve["step"].iloc[-1] < 0.95 * study.run(name).steps:
        ax.plot(
            steps[-1:], loss[-1:], marker=MARKERS[number % len(MARKERS)], ms=4, color=colour(number)
        )
    entries.setdefault(name, line)
