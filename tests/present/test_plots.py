"""Figures show the right numbers; their appearance was checked by eye."""

import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import FillBetweenPolyCollection, PathCollection
from matplotlib.figure import Figure

from bayescpt.decide import goal_probability
from bayescpt.errors import PlanError
from bayescpt.present import page, plot

GOAL = {"general": 3.30, "german": 2.95}


def panels(fig):
    """Return the axes that show losses, by (plan, domain)."""
    return {
        (ax.get_title(loc="left"), ax.get_title(loc="right")): ax
        for ax in fig.axes
        if ax.get_title(loc="left")
    }


def legend_texts(fig):
    """Return the words of the figure's legend."""
    return [text.get_text() for text in fig.legends[0].get_texts()]


def of_type(ax, kind):
    """Return the collections of one type."""
    return [c for c in ax.collections if type(c) is kind]


def test_fan_has_a_row_a_plan_and_a_column_a_domain(forecast):
    fig = page(plot.fan, forecast)
    plans, domains = forecast.dataset["plan"].values, forecast.dataset["domain"].values
    assert set(panels(fig)) == {(p, d) for p in plans for d in domains}
    assert legend_texts(fig) == ["median", "50% band", "90% band"]
    assert panels(fig)["de_r25_wsd", "general"].get_ylabel() == "loss (nats per token)"


def test_bands_are_the_quantiles_of_the_draws_and_nested(forecast):
    ax = panels(page(plot.fan, forecast, prob=(0.5, 0.9)))["de_r10_cos", "german"]
    draws = forecast.dataset["loss"].sel(plan="de_r10_cos", domain="german")
    edges = []
    for band, p in zip(of_type(ax, FillBetweenPolyCollection), (0.9, 0.5), strict=True):
        path = band.get_paths()[0].vertices
        at_end = path[path[:, 0] == 1000, 1]
        lower, upper = np.quantile(draws.sel(step=1000), [(1 - p) / 2, (1 + p) / 2])
        assert at_end.min() == pytest.approx(lower)
        assert at_end.max() == pytest.approx(upper)
        edges.append((lower, upper))
    (wide_low, wide_high), (low, high) = edges
    assert wide_low < low < high < wide_high
    [median] = ax.lines
    assert median.get_ydata()[-1] == pytest.approx(float(draws.sel(step=1000).median()))


def test_observed_dots_are_hollow_and_only_on_their_own_panel(forecast, curves):
    fig = page(plot.fan, forecast, observed=curves)
    shown = panels(fig)
    for key, ax in shown.items():
        assert len(of_type(ax, PathCollection)) == (key[0] == "de_r25_wsd")
    [dots] = of_type(shown["de_r25_wsd", "german"], PathCollection)
    rows = curves[curves["domain"] == "german"]
    np.testing.assert_allclose(dots.get_offsets(), rows[["step", "loss"]])
    np.testing.assert_allclose(dots.get_facecolors()[0], 1.0)
    assert legend_texts(fig)[-1] == "observed"


def test_fitted_rows_of_other_runs_are_left_out(forecast, curves):
    fig = page(plot.fan, forecast, fitted=curves.assign(run="another"))
    assert "fitted" not in legend_texts(fig)
    assert "fitted" in legend_texts(page(plot.fan, forecast, fitted=curves))


def test_a_run_in_flight_shows_its_losses_and_a_line_at_the_last(forecast, curves):
    so_far = curves[curves["step"] <= 400]
    last = int(so_far["step"].max())
    flying = SimpleNamespace(**vars(forecast), so_far=so_far, now={"de_r25_wsd": last})
    fig = page(plot.fan, flying)
    shown = panels(fig)
    for (plan, domain), ax in shown.items():
        lines = [line for line in ax.lines if list(line.get_xdata()) == [last, last]]
        assert len(lines) == (plan == "de_r25_wsd")
        if plan == "de_r25_wsd":
            [dots] = of_type(ax, PathCollection)
            rows = so_far[so_far["domain"] == domain]
            np.testing.assert_allclose(dots.get_offsets(), rows[["step", "loss"]])
    assert legend_texts(fig)[-2:] == ["fitted", "now"]
    assert "now" not in legend_texts(page(plot.fan, flying, first_step=last + 1))


def test_steps_outside_the_pilots_range_are_hatched_from_a_line_on(forecast):
    beyond = SimpleNamespace(**vars(forecast), leaves_range={"de_r25_wsd": 601, "de_r10_cos": 1})
    fig = page(plot.fan, beyond, first_step=100)
    shown = panels(fig)
    for (plan, domain), ax in shown.items():
        spans = [patch for patch in ax.patches if patch.get_hatch()]
        edges = [line for line in ax.lines if list(line.get_xdata()) == [601, 601]]
        expected = {"de_r25_wsd": [(601, 1000)], "de_r10_cos": [(100, 1000)]}.get(plan, [])
        assert [(s.get_x(), s.get_x() + s.get_width()) for s in spans] == expected
        assert len(edges) == (plan == "de_r25_wsd"), domain
    assert "outside the pilots' range" in legend_texts(fig)
    assert "outside the pilots' range" not in legend_texts(page(plot.fan, forecast))
    left = page(plot.overlay, beyond).axes[0]
    halos = [line for line in left.lines if line.get_linewidth() == 5 and line.get_xdata().size]
    # From the last step inside, so that the border has no gap at the edge.
    assert sorted(int(line.get_xdata()[0]) for line in halos) == [0, 600]


def test_goal_is_a_line_in_its_own_column(forecast):
    shown = panels(page(plot.fan, forecast, goal={"german": 2.95}))
    assert len(shown["de_r25_wsd", "general"].lines) == 1
    assert list(shown["de_r25_wsd", "german"].lines[1].get_ydata()) == [2.95, 2.95]


def test_schedule_is_drawn_under_each_panel_where_it_is_known(forecast):
    assert len(page(plot.fan, forecast).axes) == 12
    assert len(page(plot.fan, forecast.dataset).axes) == 6
    strip = page(plot.fan, forecast, plans=["de_r10_cos"]).axes[2]
    [area] = strip.collections
    vertices = area.get_paths()[0].vertices
    # Long schedules are drawn at some of their steps.
    steps = np.unique(vertices[:, 0])
    drawn = steps[np.argmin(abs(steps - 500))]
    assert abs(drawn - 500) <= 2
    np.testing.assert_allclose(
        vertices[vertices[:, 0] == drawn, 1].max(), forecast.plans[1].schedule.lr[int(drawn) - 1]
    )
    assert strip.get_yticklabels()[0].get_text() == "2e-3"


def test_plans_picks_and_orders(forecast):
    fig = page(plot.fan, forecast, plans=["de_r50_lin", "de_r25_wsd"])
    assert [key[0] for key in panels(fig)] == ["de_r50_lin"] * 2 + ["de_r25_wsd"] * 2


def test_a_plan_ends_where_it_ends_and_a_missing_domain_is_no_panel(forecast):
    data = forecast.dataset
    ended = (data["plan"] == "de_r10_cos") & (data["step"] > 500)
    absent = (data["plan"] == "de_r50_lin") & (data["domain"] == "german")
    shown = panels(page(plot.fan, data.where(~(ended | absent))))
    assert shown["de_r10_cos", "german"].lines[0].get_xdata()[-1] == 500
    assert shown["de_r25_wsd", "german"].lines[0].get_xdata()[-1] == 1000
    assert ("de_r50_lin", "german") not in shown


def test_first_step_hides_the_start(forecast, curves):
    shown = panels(page(plot.fan, forecast, observed=curves, first_step=200))
    ax = shown["de_r25_wsd", "general"]
    assert ax.lines[0].get_xdata()[0] == 200
    assert of_type(ax, PathCollection)[0].get_offsets()[:, 0].min() == 200
    with pytest.raises(PlanError, match="first_step=2000"):
        page(plot.fan, forecast, first_step=2000)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"plans": ["x"]}, r"unknown plan 'x'.*de_r25_wsd"),
        ({"prob": (0.5, 90)}, "prob is 90.0"),
        ({"goal": {"french": 3.0}}, r"unknown domain 'french'.*'german'"),
        ({"observed": pd.DataFrame({"run": ["a"]})}, r"observed lacks the columns \['step'"),
        (
            {"observed": pd.DataFrame({"run": ["a"], "step": 1, "domain": "german", "loss": 3.0})},
            "no observed run has the name of a plan: runs 'a'",
        ),
    ],
)
def test_what_cannot_be_drawn_says_why(forecast, options, message):
    with pytest.raises(PlanError, match=message):
        page(plot.fan, forecast, **options)


def test_goal_bars_are_the_tables_probabilities(forecast):
    table = goal_probability(forecast, GOAL)
    fig = page(plot.goal_probability, table)
    [ax] = fig.axes
    widths = [[bar.get_width() for bar in bars] for bars in ax.containers]
    np.testing.assert_allclose(widths, table[["joint", "general", "german"]].T)
    assert [t.get_text() for t in ax.get_yticklabels()] == list(table.index)
    assert legend_texts(fig) == ["all goals together", "general alone", "german alone"]
    assert fig.axes[0].get_title() == "Goal: general ≤ 3.3, german ≤ 2.95"
    low, high = ax.get_ylim()
    assert low > high  # the first plan is on top


def test_whiskers_are_two_monte_carlo_errors_inside_0_1():
    table = pd.DataFrame(
        {"joint": [0.5, 0.0], "joint_mcse": [0.05, 0.002]}, index=pd.Index(["a", "b"])
    )
    [ax] = page(plot.goal_probability, table).axes
    segments = np.array(ax.collections[-1].get_segments())
    np.testing.assert_allclose(segments[:, :, 0], [[0.4, 0.6], [0.0, 0.004]])


def test_labels_have_the_unit_of_the_forecast(forecast):
    forecast.dataset.attrs["units"] = "bit/byte"
    assert panels(page(plot.fan, forecast))["de_r25_wsd", "general"].get_ylabel() == (
        "loss (bits per byte)"
    )
    [ax] = page(plot.ends, forecast).axes
    assert ax.get_xlabel() == "general loss (bits per byte)"
    assert ax.get_ylabel() == "german loss (bits per byte)"
    table = goal_probability(forecast, GOAL)
    table.attrs["units"] = "bit/byte"
    title = page(plot.goal_probability, table).axes[0].get_title()
    assert title == "Goal: general ≤ 3.3, german ≤ 2.95 (bits per byte)"


def test_labels_claim_no_unit_that_is_not_known(forecast):
    del forecast.dataset.attrs["units"]
    assert panels(page(plot.fan, forecast))["de_r25_wsd", "general"].get_ylabel() == "loss"
    assert page(plot.ends, forecast).axes[0].get_xlabel() == "general loss"


def test_no_bar_claims_certainty(forecast):
    table = goal_probability(forecast, {"general": 9.0, "german": 1.0})
    [ax] = page(plot.goal_probability, table).axes
    assert {text.get_text() for text in ax.texts} == {">99%", "<1%"}


def test_best_step_is_named(forecast):
    table = goal_probability(forecast, GOAL, by="best")
    [ax] = page(plot.goal_probability, table).axes
    step = table["best_step"].iloc[0]
    assert ax.get_yticklabels()[0].get_text() == f"de_r25_wsd\nat step {step}"


def test_a_table_of_something_else_is_refused(forecast):
    table = goal_probability(forecast, GOAL)
    for bad in (table.drop(columns="joint"), table.iloc[:0]):
        with pytest.raises(PlanError, match="must be a table of goal_probability"):
            page(plot.goal_probability, bad)


def test_scatter_shows_the_end_of_each_plan_and_the_goal_box(forecast):
    fig = page(plot.ends, forecast, GOAL, best="de_r50_lin", max_draws=50)
    [ax] = fig.axes
    assert ax.get_xlabel() == "general loss (nats per token)"
    clouds = [c.get_offsets() for c in ax.collections if len(c.get_offsets()) > 1]
    assert [len(cloud) for cloud in clouds] == [50, 50, 50]
    end = forecast.dataset["loss"].isel(step=-1, plan=0).values
    np.testing.assert_allclose(np.asarray(clouds[0])[0], end[0, 0])
    [box] = ax.patches
    assert box.get_x() + box.get_width() == pytest.approx(3.30)
    assert box.get_y() + box.get_height() == pytest.approx(2.95)
    assert legend_texts(fig)[-1] == "de_r50_lin (chosen)"


def test_a_goal_out_of_reach_is_still_in_view(forecast):
    [ax] = page(plot.ends, forecast, {"general": 1.0, "german": 8.0}).axes
    assert ax.get_xlim()[0] < 1.0
    assert ax.get_ylim()[1] >= 8.0


def test_scatter_of_a_goal_on_one_domain_is_open_above(forecast):
    [ax] = page(plot.ends, forecast, {"general": 3.3}).axes
    [box] = ax.patches
    assert box.get_y() + box.get_height() == pytest.approx(ax.get_ylim()[1])


def test_scatter_refuses_what_it_cannot_show(forecast):
    with pytest.raises(PlanError, match="needs two domains"):
        page(plot.ends, forecast.dataset.sel(domain=["german"]))
    with pytest.raises(PlanError, match="unknown domain 'french'"):
        page(plot.ends, forecast, domains=("general", "french"))
    with pytest.raises(PlanError, match="unknown plan 'x'"):
        page(plot.ends, forecast, best="x")


def test_figures_save_and_leave_no_global_state(forecast, curves, tmp_path):
    for i, fig in enumerate(
        [
            page(plot.fan, forecast, observed=curves, goal=GOAL),
            page(plot.goal_probability, goal_probability(forecast, GOAL)),
            page(plot.ends, forecast, GOAL),
        ]
    ):
        assert isinstance(fig, Figure)
        fig.savefig(tmp_path / f"{i}.png")
        assert (tmp_path / f"{i}.png").stat().st_size > 10_000


def test_importing_present_and_decide_loads_no_matplotlib_and_no_arviz():
    code = (
        "import sys, bayescpt.present, bayescpt.decide; "
        "print([m for m in ('matplotlib', 'arviz_stats', 'pymc') if m in sys.modules])"
    )
    out = subprocess.run(  # noqa: S603 - our own interpreter and our own text
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert out.stdout.strip() == "[]"
