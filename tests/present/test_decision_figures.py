"""Risks of plans and maps of goal probabilities: what is drawn are the numbers."""

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.collections import LineCollection, PatchCollection, PathCollection

import bayescpt as bc
from bayescpt.decide.goal_map import goal_map, map_settings, pilot_settings
from bayescpt.errors import PlanError
from bayescpt.present import page, plot
from tests.test_cli import made_up_fit

GOAL = {"general": 3.30, "german": 2.95}
SPACE = {
    "schedule": "wsd", "num_training_steps": 1000, "num_warmup_steps": 30, "start": "pt_r0",
    "lr": [1e-3, 2e-3, 4e-3], "replay_ratio": (0.0, 0.6), "decay_share": [0.1, 0.2, 0.4],
}  # fmt: skip


@pytest.fixture(scope="module")
def fit():
    study = bc.load_example("cpt_micro").select(["de_r25_wsd_s1", "de_r0_wsd", "de_r50_wsd"])
    return made_up_fit(study)


def marks(ax):
    return [line for line in ax.lines if line.get_marker() not in ("None", "")]


def test_risks_are_the_table_on_one_place_per_plan(forecast):
    decision = bc.compare(forecast.dataset, goal=GOAL, risk="cvar")
    table = decision.table
    loss, contrast, regret, goal = page(plot.risks, decision).axes
    for mark, column in zip(marks(loss), ("mean", "quantile", "cvar"), strict=True):
        np.testing.assert_array_equal(mark.get_xdata(), table[column])
        np.testing.assert_array_equal(mark.get_ydata(), range(len(table)))
    # The measure that chose is larger than the others.
    sizes = [mark.get_markersize() for mark in marks(loss)]
    assert np.argmax(sizes) == 2
    [dots] = marks(regret)
    np.testing.assert_array_equal(dots.get_xdata(), table["expected_regret"])
    [dots] = marks(goal)
    np.testing.assert_array_equal(dots.get_xdata(), table["goal_probability"])
    rest = decision.contrasts.drop(index=decision.best)
    [intervals] = [c for c in contrast.collections if type(c) is LineCollection]
    places = [list(table.index).index(plan) for plan in rest.index]
    drawn = {int(line[0][1]): line[:, 0] for line in intervals.get_segments()}
    for place, (_, row) in zip(places, rest.iterrows(), strict=True):
        np.testing.assert_array_equal(drawn[place], row[["lower", "upper"]])
    labels = [text.get_text() for text in loss.get_yticklabels()]
    assert labels == list(table.index)
    bold = [t.get_text() for t in loss.get_yticklabels() if t.get_fontweight() == "bold"]
    assert bold == [decision.best]
    assert "nats per" in loss.get_xlabel()


def test_panels_without_content_are_left_out(forecast):
    one = forecast.dataset.isel(plan=[0])
    titles = [ax.get_title(loc="left") for ax in page(plot.risks, bc.compare(one)).axes]
    assert titles == ["weighted loss"]
    none = bc.compare(forecast.dataset, goal={"general": 1.0}, min_probability=0.9)
    assert none.best is None
    figure = page(plot.risks, none)
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["weighted loss", "regret", "goal"]
    assert all(text.get_text().startswith("(") for text in figure.axes[0].get_yticklabels())


def test_a_map_is_the_probability_of_its_recipes(fit):
    at = {"lr": 2e-3}
    ends = fit.forecast(
        bc.Plan(
            "one", bc.schedules.wsd(2e-3, 1000, num_warmup_steps=30, num_decay_steps=200), 0.3,
            start="pt_r0",
        ),
        steps=[1000],
    )  # fmt: skip
    goal = {d: round(float(ends.loss.sel(domain=d).median()), 3) for d in ("general", "german")}
    made = goal_map(fit, SPACE, goal, at=at, points=3)
    assert made.x_values.tolist() == [0.0, 0.3, 0.6]
    assert made.y_values.tolist() == [0.1, 0.2, 0.4]
    plans = [
        bc.Plan(
            f"{share} {replay}",
            bc.schedules.wsd(2e-3, 1000, num_warmup_steps=30, num_decay_steps=round(1000 * share)),
            replay, start="pt_r0",
        )
        for share in made.y_values
        for replay in made.x_values
    ]  # fmt: skip
    table = bc.screen(fit, plans, goal, "probability")
    # Noise has the name of a plan in its seed.
    np.testing.assert_allclose(
        made.probability.ravel(), table["joint"], atol=6 * float(table["joint_mcse"].max())
    )
    np.testing.assert_array_equal(made.outside.ravel(), table["outside"] != "")
    assert made.outside.any()
    assert made.fixed["lr"] == 2e-3
    [ax, bar] = page(plot.goal_map, made).axes
    assert ax.get_xlabel() == "replay ratio"
    assert bar.get_ylabel() == "probability of meeting all goals"
    [dots] = [c for c in ax.collections if type(c) is PathCollection]
    np.testing.assert_allclose(sorted(dots.get_offsets()[:, 0]), [0.0, 0.25, 0.5])
    np.testing.assert_allclose(dots.get_offsets()[:, 1], 0.2)
    [hatched] = [c for c in ax.collections if type(c) is PatchCollection]
    assert len(hatched.get_paths()) == made.outside.sum()
    assert hatched.get_hatch()
    filled = ax.collections[0]
    np.testing.assert_allclose(filled.zmax, made.probability.max(), atol=1e-12)


def test_a_goal_that_is_always_or_never_met_has_a_map_without_lines(fit):
    made = goal_map(fit, SPACE, GOAL, y="lr", at={"decay_share": 0.2}, points=2)
    for certain in (0.0, 1.0):
        one = replace(made, probability=np.full_like(made.probability, certain))
        ax = page(plot.goal_map, [one]).axes[0]
        assert not ax.texts
        assert ax.get_yscale() == "log"
        assert ax.get_ylabel() == "peak learning rate"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "'lr' varies in the space too; give its value in at="),
        ({"y": "start"}, "'start' does not vary in the space; what varies is"),
        ({"points": 1}, "give two settings, 2 points"),
    ],
)
def test_what_is_no_map(fit, options, message):
    with pytest.raises(PlanError, match=message):
        goal_map(fit, SPACE, GOAL, **options)


def test_recipes_without_a_valid_schedule_are_blank(fit):
    space = {**SPACE, "lr": 2e-3, "decay_share": [0.2, 0.99]}
    made = goal_map(fit, space, GOAL, points=2)
    assert np.isnan(made.probability).tolist() == [[False, False], [True, True]]
    assert page(plot.goal_map, made).axes
    with pytest.raises(PlanError, match="no recipe of the map has a valid schedule"):
        goal_map(fit, {**space, "decay_share": [0.98, 0.99]}, GOAL, points=2)


def test_settings_of_pilots():
    study = bc.load_example("cpt_micro")
    found = pilot_settings(study, ("replay_ratio", "num_decay_steps"))
    assert found.loc["de_r50_wsd"].tolist() == [0.5, 200]
    assert found.loc["de_r25_const"].tolist() == [0.25, 0]
    assert pilot_settings(study, ("replay_ratio", "cooldown_share")).empty
    assert pilot_settings(None, ("lr", "replay_ratio")).empty


def test_which_maps_of_a_space_are_drawn():
    space = bc.Space(**SPACE)
    assert map_settings(space) == [("replay_ratio", "decay_share"), ("replay_ratio", "lr")]
    fixed = {**SPACE, "replay_ratio": 0.2, "lr": 1e-3}
    assert map_settings(bc.Space(**fixed)) == []
    assert map_settings(bc.Space(**{**fixed, "decay_share": 0.1})) == []
