"""Figures of backtests and calibrations: who misses where, and ranks."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import FillBetweenPolyCollection, QuadMesh

from bayescpt.errors import PlanError
from bayescpt.evaluate import Backtest, Calibration
from bayescpt.evaluate.score import QUANTILES, quantile_column
from bayescpt.evaluate.uniformity import ecdf_band
from bayescpt.present import page, plot
from bayescpt.present.misses import ABOVE, BELOW, band_errors


def made_backtest(errors):
    """Losses off the median by `errors` (by run), in half-widths of the band on their side."""
    steps = np.arange(50, 1001, 50)
    parts = []
    for run, error in errors.items():
        rows = pd.DataFrame({"run": run, "step": steps, "fraction": steps / 1000})
        off = np.broadcast_to(np.asarray(error, dtype=float), steps.shape)
        # Skewed: the upper half of the band is three times as wide.
        rows["observed"] = 3.0 + np.where(off > 0, 0.3, 0.1) * off
        parts.append(rows)
    table = pd.concat(parts, ignore_index=True)
    table = table.assign(split=table["run"], domain="general", cutoff=0.0, shared=False, median=3.0)
    for level in QUANTILES:
        side = (level - 0.5) / 0.45
        table[quantile_column(level)] = 3.0 + (0.3 if side > 0 else 0.1) * side
    return Backtest(table.assign(pit=0.5), pd.DataFrame(), pd.DataFrame())


def test_errors_are_in_half_widths_of_their_side():
    table = made_backtest({"a": 1.0, "b": -1.0, "c": 0.5, "d": 0.0}).table
    found = table.assign(error=band_errors(table)).groupby("run")["error"].first()
    np.testing.assert_allclose(found[["a", "b", "c", "d"]], [1.0, -1.0, 0.5, 0.0], atol=1e-12)


def test_cells_are_mean_errors_and_marks_stand_where_losses_leave_the_band():
    late = np.where(np.arange(50, 1001, 50) > 800, 1.6, 0.2)
    made = made_backtest({"quiet": 0.3, "late": late, "low": -3.0})
    ax, bar = page(plot.misses, made, bins=5).axes
    # The run that misses most is at the top.
    assert [t.get_text() for t in ax.get_yticklabels()] == ["low", "late", "quiet"]
    [mesh] = [c for c in ax.collections if isinstance(c, QuadMesh)]
    np.testing.assert_allclose(
        mesh.get_array().reshape(3, 5), [[-3] * 5, [0.2] * 4 + [1.6], [0.3] * 5], atol=1e-12
    )
    drawn = {(round(t.get_position()[0] * 5 - 0.5), int(t.get_position()[1])): t.get_text()
             for t in ax.texts}  # fmt: skip
    assert drawn == {**{(k, 0): BELOW for k in range(5)}, (4, 1): ABOVE}
    assert "half-widths of the 90% band" in bar.get_ylabel()
    assert [t.get_text() for t in ax.get_xticklabels()] == ["0%", "50%", "100%"]


def test_parts_without_a_loss_are_blank_and_shared_rows_left_out():
    made = made_backtest({"a": 2.0})
    table = made.table[made.table["step"] > 600].copy()
    table["shared"] = table["step"] <= 800
    ax = page(plot.misses, Backtest(table, made.fits, made.finals), bins=5).axes[0]
    [mesh] = [c for c in ax.collections if isinstance(c, QuadMesh)]
    assert np.ma.getmaskarray(mesh.get_array()).ravel().tolist() == [True] * 4 + [False]
    with pytest.raises(PlanError, match="no held-out row"):
        plot.misses(Backtest(table.assign(shared=True), made.fits, made.finals))
    both = pd.concat([made.table.assign(method=name) for name in "ab"])
    with pytest.raises(PlanError, match="several methods"):
        plot.misses(Backtest(both, made.fits, made.finals))


def made_calibration(n=200, seed=3):
    rng = np.random.default_rng(seed)
    rows = [
        {"simulation": k, "quantity": name, "rank": int(rank), "control": int(control)}
        for k in range(n)
        for name, rank, control in (
            ("beta", rng.integers(0, 100), rng.choice([0, 99])),
            ("bad", min(99, 100 * rng.beta(2, 1)), rng.choice([0, 99])),
        )
    ]
    return Calibration(pd.DataFrame(rows), pd.DataFrame({"effective_draws": [1e3] * n}), 99)


def test_ranks_are_drawn_as_differences_to_uniform_with_the_band_of_the_test():
    made = made_calibration()
    figure = page(plot.ranks, made)
    left, right = figure.axes
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert texts == ["95% band of uniform ranks", "quantities", "bad: not uniform"]
    share, low, high = ecdf_band(200, 99)
    [band] = [c for c in left.collections if isinstance(c, FillBetweenPolyCollection)]
    ends = band.get_paths()[0].vertices[:, 1]
    assert ends.min() == pytest.approx((low - share).min())
    assert ends.max() == pytest.approx((high - share).max())
    for line, name in zip(left.lines[1:], ("beta", "bad"), strict=True):
        ranks = made.ranks.loc[made.ranks["quantity"] == name, "rank"].to_numpy()
        expected = [(ranks <= k).mean() - (k + 1) / 100 for k in range(99)]
        np.testing.assert_allclose(line.get_ydata(), expected, atol=1e-12)
    # The control leaves the band: half of its ranks are the lowest.
    assert right.lines[1].get_ydata()[0] > (high - share).max()
    assert right.get_title(loc="left") == "control: half the width"


def test_the_band_holds_uniform_ranks_as_often_as_it_says():
    rng = np.random.default_rng(8)
    n, sets, prob = 60, 600, 0.9
    share, low, high = ecdf_band(n, 19, prob)
    inside = 0
    for _ in range(sets):
        counts = np.bincount(rng.integers(0, 20, n), minlength=20)
        below = np.cumsum(counts)[:-1] / n
        inside += bool(((low <= below) & (below <= high)).all())
    error = np.sqrt(prob * (1 - prob) / sets)
    # Ranks are discrete: the band may be a little wide, never narrow.
    assert prob - 4 * error < inside / sets < prob + 0.05 + 4 * error
    assert (np.diff(share) > 0).all()


def test_what_is_no_calibration():
    made = made_calibration(20)
    with pytest.raises(PlanError, match="no simulation"):
        plot.ranks(Calibration(made.ranks.iloc[:0], made.fits, 99))
    with pytest.raises(PlanError, match="prob is 95"):
        plot.ranks(made, prob=95)
