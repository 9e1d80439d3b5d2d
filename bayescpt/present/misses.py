"""Which runs of a backtest miss their bands, and where along the run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bayescpt.errors import PlanError
from bayescpt.evaluate import Backtest
from bayescpt.evaluate.score import BAND, quantile_column
from bayescpt.present.canvas import PAGE, given_axes, new_figure, panel_array
from bayescpt.present.plain import make_plain, plain_text
from bayescpt.present.style import INK, folded, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import QuadMesh

# Purple, losses below the forecast, to orange, losses above: told apart by colour-blind readers;
# in grey by the marks.
COLOURS = "PuOr_r"
# Half-widths of the band at which the colours end.
FARTHEST = 2.0
BINS = 10
# Characters in a line of a run's name.
LABEL = 26
ABOVE, BELOW = "\N{BLACK UP-POINTING TRIANGLE}", "\N{BLACK DOWN-POINTING TRIANGLE}"


@plain_text
def misses(backtest: Backtest, bins: int = BINS, after: float = 0.0, *, axes: Any = None) -> Any:
    """Draw which held-out runs miss their bands, and where along the run.

    Parameters
    ----------
    backtest : Backtest
        Forecasts of held-out losses, by one method.
    bins : int
        Number of equal parts of a run.
    after : float
        First fraction of each run to leave out.
    axes : array_like of matplotlib.axes.Axes, optional
        Axes to draw on, one for each domain; by default those of a new figure.

    Returns
    -------
    ndarray of matplotlib.axes.Axes, shape (n_domains,)
        A row per run, the run that misses most at the top, and a column per part of the run. The
        colour is the mean error: observed minus median, in half-widths of the 90% band to that
        side. At 1 and above the losses lie above the band (triangle upwards), at -1 and below they
        lie below it (triangle downwards). A run with several forecasts (cutoffs, draws of pilots)
        has the mean over them. Parts without a loss are blank.

    Raises
    ------
    PlanError
        If the backtest has several methods, no held-out loss remains, or there are more or fewer
        axes than domains.

    Examples
    --------
    >>> import bayescpt as bc
    >>> from bayescpt.evaluate.baselines import last_value
    >>> study = bc.load_example("cpt_micro")
    >>> backtest = bc.backtest(study, runs=["de_r25_cos"], method=last_value)
    >>> [ax.get_title(loc="left") for ax in bc.plot.misses(backtest)]
    ['general', 'german']
    """
    table = backtest.table
    if "method" in table and table["method"].nunique() > 1:
        raise PlanError("the backtest has several methods; draw one at a time")
    rows = table[~table["shared"] & (table["fraction"] > after)]
    if rows.empty:
        raise PlanError(f"no held-out row after the first {after:.0%} of a run remains to be drawn")
    rows = rows.assign(error=band_errors(rows), part=_parts(rows["fraction"], bins))
    cells = rows.groupby(["domain", "run", "part"], sort=False)["error"].mean()
    worst = cells.abs().groupby("run").max().sort_values(ascending=False, kind="stable")
    runs, domains = [str(run) for run in worst.index], list(dict.fromkeys(rows["domain"]))
    chosen = _new_axes(len(domains), len(runs)) if axes is None else given_axes(axes, domains)
    meshes = []
    for k, (domain, ax) in enumerate(zip(domains, chosen, strict=True)):
        grid = cells[domain].unstack("part").reindex(index=runs, columns=range(bins))
        meshes.append(_panel(ax, grid.to_numpy(dtype=float)))
        ax.set_title(folded(str(domain), LABEL), loc="left", fontsize=9.5, color=INK)
        labelled = k == 0 or axes is not None
        ax.set_yticks(
            np.arange(len(runs)) + 0.5,
            [folded(r, LABEL) for r in runs] if labelled else [""] * len(runs),
        )
        ax.set_xlabel("part of the run", fontsize=8.5, color=INK)
    bar = chosen[0].figure.colorbar(meshes[0], ax=chosen, shrink=0.9, pad=0.02, extend="both")
    bar.set_label(
        f"observed minus median\n(half-widths of the {BAND:.0%} band)", fontsize=8, color=INK
    )
    bar.ax.tick_params(labelsize=7.5)
    make_plain(bar.ax)
    return panel_array(chosen)


def band_errors(rows: pd.DataFrame) -> np.ndarray:
    """Errors of the median in half-widths of the 90% band on their side.

    Parameters
    ----------
    rows : pandas.DataFrame
        Rows of a backtest's table.

    Returns
    -------
    ndarray, shape (n_rows,)
        1 at the upper end of the band, -1 at the lower one.
    """
    low, high = (
        rows[quantile_column(q)].to_numpy(np.float64) for q in ((1 - BAND) / 2, (1 + BAND) / 2)
    )
    middle = rows["median"].to_numpy(np.float64)
    error = rows["observed"].to_numpy(np.float64) - middle
    half = np.where(error > 0, high - middle, middle - low)
    # A method may forecast a single value.
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(error == 0, 0.0, error / half)


def _parts(fraction: pd.Series, bins: int) -> np.ndarray:
    """Number of the part of the run; the last loss belongs to the last part."""
    return np.clip(np.ceil(fraction.to_numpy() * bins).astype(int) - 1, 0, bins - 1)


def _new_axes(domains: int, runs: int) -> list[Axes]:
    """Panels of a new figure, side by side."""
    height = max(2.2, min(PAGE[1], 1.0 + 0.24 * runs))
    fig = new_figure(min(PAGE[0], 2.6 + 2.9 * domains), height)
    return list(fig.subplots(1, domains, squeeze=False)[0])


def _panel(ax: Axes, values: np.ndarray) -> QuadMesh:
    """Draw the errors of one domain, and marks where they are outside the band."""
    tidy(ax)
    ax.grid(False)
    n_runs, bins = values.shape
    mesh = ax.pcolormesh(
        np.linspace(0, 1, bins + 1), np.arange(n_runs + 1), np.ma.masked_invalid(values),
        cmap=COLOURS, vmin=-FARTHEST, vmax=FARTHEST, edgecolors="white", linewidth=0.6,
    )  # fmt: skip
    for (run, part), value in np.ndenumerate(values):
        if abs(value) >= 1:
            ax.text(
                (part + 0.5) / bins, run + 0.5, ABOVE if value > 0 else BELOW,
                ha="center", va="center", fontsize=6.5,
                # Dark cells have white marks.
                color="white" if abs(value) > 0.75 * FARTHEST else INK,
            )  # fmt: skip
    ax.set(xlim=(0, 1), ylim=(n_runs, 0))
    ax.set_xticks([0, 0.5, 1], ["0%", "50%", "100%"])
    ax.tick_params(axis="y", length=0, labelsize=7.5)
    return mesh
