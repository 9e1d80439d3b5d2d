"""Figures of plans of unlike lengths, of many plans, and of goals in grey."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from bayescpt.errors import PlanError
from bayescpt.forecast.step_grid import plan_steps, step_grid
from bayescpt.present import page, plot
from bayescpt.present.style import MAX_POINTS, folded, thinned

LONG = "cpt_8b_medical_replay25_wsd_lr2e-5_seed17_from_step_143000"


def made_plan(name, n_steps):
    lr = np.linspace(1e-3, 0, n_steps)
    return SimpleNamespace(name=name, schedule=SimpleNamespace(lr=lr, n_steps=n_steps))


def made_forecast(lengths, domains=("general", "german"), shown=None):
    """Return a forecast of plans by their lengths; `shown` names the domains of some plans."""
    plans = [made_plan(name, n) for name, n in lengths.items()]
    steps = step_grid(plans, 50)
    rng = np.random.default_rng(0)
    values = rng.normal(3.0, 0.1, (2, 30, len(plans), len(domains), len(steps)))
    for k, plan in enumerate(plans):
        values[:, :, k, :, steps > plan.schedule.n_steps] = np.nan
        for d, domain in enumerate(domains):
            if shown and domain not in shown.get(plan.name, domains):
                values[:, :, k, d] = np.nan
    dataset = xr.Dataset(
        {"loss": (("chain", "draw", "plan", "domain", "step"), values)},
        coords={"plan": list(lengths), "domain": list(domains), "step": steps},
        attrs={"units": "nat/token"},
    )
    return SimpleNamespace(dataset=dataset, plans=plans, warnings=[], failed_checks=[])


def titles(figure):
    return [(ax.get_title(loc="left"), ax.get_title(loc="right")) for ax in figure.axes]


def test_each_plan_has_steps_of_its_own():
    grid = step_grid([made_plan("short", 300), made_plan("long", 20_000)], 50)
    assert (grid <= 300).sum() >= 50
    assert (grid > 300).sum() >= 49
    assert grid[-1] == 20_000
    assert plan_steps(1000, 4).tolist() == [250, 500, 750, 1000]
    assert plan_steps(3, 100).tolist() == [1, 2, 3]
    many = step_grid([made_plan(str(n), 1000 + n) for n in range(100)], 100)
    assert many.size <= 100 * 20


def test_each_panel_has_steps_of_its_own():
    figure = page(plot.fan, made_forecast({"short": 300, "long": 20_000}))
    width = {ax.get_title(loc="left"): ax.get_xlim()[1] for ax in figure.axes}
    assert width["short"] < 400
    assert width["long"] > 19_000


def test_each_plan_may_start_at_a_step_of_its_own():
    forecast = made_forecast({"short": 300, "long": 20_000})
    figure = page(plot.fan, forecast, first_step={"short": 30, "long": 2000})
    for ax in figure.axes:
        if ax.get_title(loc="left"):
            first = ax.lines[0].get_xdata()[0]
            assert first >= (30 if ax.get_title(loc="left") == "short" else 2000)


def test_domains_that_a_plan_lacks_leave_no_hole():
    shown = {"a": ("general", "german"), "b": ("general", "code")}
    figure = page(
        plot.fan, made_forecast({"a": 100, "b": 100}, ("general", "german", "code"), shown)
    )
    panels = [title for title in titles(figure) if title[0]]
    assert panels == [("a", "general"), ("a", "german"), ("b", "general"), ("b", "code")]
    columns = {ax.get_subplotspec().get_gridspec().ncols for ax in figure.axes}
    assert columns == {2}
    assert all(ax.collections for ax in figure.axes)


def test_observed_losses_do_not_bury_the_band():
    steps = np.arange(1, 301)
    observed = pd.DataFrame({"run": "a", "step": steps, "domain": "general", "loss": 3.0})
    figure = page(plot.fan, made_forecast({"a": 300}), observed=observed)
    dots = figure.axes[0].collections[-1].get_offsets()
    assert 30 < len(dots) <= MAX_POINTS
    assert dots[-1][0] == 300
    few = page(plot.fan, made_forecast({"a": 300}), observed=observed[:20])
    assert len(few.axes[0].collections[-1].get_offsets()) == 20


@pytest.mark.parametrize("n", [0, 1, 59, 60, 61, 1000])
def test_thinned_points_are_even_and_end_with_the_last(n):
    kept = thinned(n)
    assert len(kept) <= MAX_POINTS
    assert len(set(np.diff(kept))) <= 1
    assert not n or kept[-1] == n - 1


@pytest.mark.parametrize("n", [2, 9])
def test_an_overlay_has_all_plans_in_a_panel_of_each_domain(n):
    forecast = made_forecast({f"plan{k}": 100 + k for k in range(n)})
    figure = page(plot.overlay, forecast, goal={"general": 3.0})
    assert [right for _, right in titles(figure) if right] == ["general", "german"]
    lines = [line for line in figure.axes[0].lines if len(line.get_xdata()) > 10]
    assert len(lines) == n
    looks = {(line.get_color(), str(line._dash_pattern)) for line in lines}
    assert len(looks) == n
    assert len({str(line._dash_pattern) for line in lines}) == min(n, 5)
    words = [text.get_text() for text in figure.legends[0].get_texts()]
    assert words == [*(f"plan{k}" for k in range(n)), "goal"]
    # Whole bands of few plans only.
    assert len(figure.axes[0].collections) == (2 if n == 2 else 0)


def test_an_overlay_draws_medians_bands_and_the_bands_of_last_losses():
    forecast = made_forecast({"short": 100, "long": 300})
    [ax, *_] = page(plot.overlay, forecast).axes
    lines = [line for line in ax.lines if len(line.get_xdata()) > 10]
    bars = [line for line in ax.lines if len(line.get_xdata()) == 2]
    parts = zip(("short", "long"), lines, bars, ax.collections, strict=True)
    for plan, line, bar, band in parts:
        draws = forecast.dataset["loss"].sel(plan=plan, domain="general").dropna("step")
        low, middle, high = draws.quantile([0.05, 0.5, 0.95], ["chain", "draw"]).values
        np.testing.assert_array_equal(line.get_xdata(), draws["step"])
        np.testing.assert_allclose(line.get_ydata(), middle)
        np.testing.assert_allclose(bar.get_ydata(), [low[-1], high[-1]])
        at = {step: [] for step in draws["step"].values}
        for step, loss in band.get_paths()[0].vertices:
            at[int(step)].append(loss)
        np.testing.assert_allclose([min(losses) for losses in at.values()], low)
        np.testing.assert_allclose([max(losses) for losses in at.values()], high)


def test_an_overlay_of_nothing_is_refused():
    with pytest.raises(PlanError, match="first_step=500"):
        page(plot.overlay, made_forecast({"a": 100}), first_step=500)


def test_goal_bars_differ_without_their_colours():
    columns = ["joint", "general", "german", "code"]
    table = pd.DataFrame({c: [0.5] for c in columns} | {f"{c}_mcse": [0.01] for c in columns})
    table.index = pd.Index([LONG], name="plan")
    ax = page(plot.goal_probability, table).axes[0]
    looks = [(bar.get_hatch(), bar.get_height()) for bar in ax.patches]
    assert len(set(looks)) == 4
    assert max(map(len, ax.get_yticklabels()[0].get_text().splitlines())) <= 30


@pytest.mark.parametrize("width", [8, 12, 30])
def test_folded_names_are_whole(width):
    for name in (LONG, "a", "x" * 50, "a b/c-d_e"):
        lines = folded(name, width).splitlines()
        assert "".join(lines) == name
        assert max(map(len, lines)) <= width


def test_legends_of_long_names_stay_inside_the_figure():
    forecast = made_forecast({f"{LONG}_{k}": 100 for k in range(8)})
    figure = page(plot.overlay, forecast)
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    box = figure.legends[0].get_window_extent()
    assert box.x0 >= 0
    assert box.x1 <= figure.bbox.width
    assert figure.axes[0].get_window_extent().height > 200


def test_a_scatter_names_all_plans_and_folds_long_names():
    figure = page(plot.ends, made_forecast({"_own": 100, LONG: 100}), best=LONG)
    own, long = [text.get_text() for text in figure.legends[0].get_texts()]
    assert own == "_own"
    assert long.replace("\n", "") == f"{LONG} (chosen)"
    assert max(map(len, long.split("\n"))) <= 40


def test_a_long_goal_is_folded_in_the_title():
    table = pd.DataFrame({"joint": [0.5], "joint_mcse": [0.01]}, index=pd.Index(["a"], name="plan"))
    table.attrs = {"goal": {f"domain{k}": 3.0 for k in range(8)}, "units": "nat/token"}
    title = page(plot.goal_probability, table).axes[0].get_title()
    assert max(map(len, title.split("\n"))) <= 60
    assert "domain7 ≤ 3" in title.replace("\n", "")


def test_a_long_schedule_is_a_strip_of_few_points():
    figure = page(plot.fan, made_forecast({"long": 20_000}))
    [area] = figure.axes[2].collections
    assert len(area.get_paths()[0].vertices) < 1100
    lr = np.linspace(1e-3, 0, 20_000)
    for x, y in area.get_paths()[0].vertices[1:400:50]:
        assert y == 0 or y == lr[int(x) - 1]


def test_a_title_breaks_between_goals():
    table = pd.DataFrame({"joint": [0.5], "joint_mcse": [0.01]}, index=pd.Index(["a"], name="plan"))
    levels = {"general": {"a": 3.089, "b": 3.671}, "code": {"a": 2.0}}
    table.attrs = {"goal": {"general": "+5%", "code": 2.0}, "levels": levels, "units": "nat/token"}
    title = page(plot.goal_probability, table).axes[0].get_title()
    assert title == "Goal: general ≤ +5% (3.089 to 3.671 nats per token),\ncode ≤ 2"
