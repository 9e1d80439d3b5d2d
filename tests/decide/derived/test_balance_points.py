"""Balance points of losses whose optimum is known."""

import numpy as np
import pytest

import bayescpt as bc
from bayescpt.errors import PlanError


def general(theta, replay, lr, potential, **_):
    return 3.0 + theta * (1 - replay) ** 2 + 0.05 * np.log(lr / 2e-3) ** 2 - 0.1 * potential


def german(theta, replay, lr, **_):
    return 2.0 + replay**2 + 0.05 * np.log(lr / 2e-3) ** 2 + 0 * theta


@pytest.fixture(scope="module")
def fit(formula_fit):
    return formula_fit(general, german, starts=("r0", "r05", "r1"))


SPACE = {"replay_ratio": (0.0, 0.97), "lr": (1e-3, 4e-3), "start": ["r0", "r05", "r1"]}


def test_each_draw_has_the_optimum_of_the_formula(fit, settings):
    found = bc.balance_points(fit, settings | SPACE, [0.25, 0.75])
    for weight in (0.25, 0.75):
        true = weight * fit.theta / (weight * fit.theta + 1 - weight)
        optima = found.optima[weight]
        # The parabola is exact along the replay ratio, and nearly along the logarithm of the LR.
        np.testing.assert_allclose(optima["replay_ratio"], true, atol=1e-6)
        np.testing.assert_allclose(optima["lr"], 2e-3, rtol=1e-6)
        assert set(optima["start"]) == {"r1"}
        row = found.table.loc[(weight, "replay_ratio")]
        np.testing.assert_allclose(
            row[["lower", "median", "upper"]].astype(float),
            np.quantile(true, [0.05, 0.5, 0.95]), atol=1e-6,
        )  # fmt: skip
        assert (row["interior"], row["at_low"], row["at_high"]) == (1.0, 0.0, 0.0)
        potential = found.table.loc[(weight, "loss_potential")]
        assert (potential["best"], potential["at_high"], potential["interior"]) == (1.0, 1.0, 0.0)


def test_regret_is_what_not_knowing_costs(fit, settings):
    found = bc.balance_points(fit, settings | {"replay_ratio": (0.0, 1.0)}, [0.5], points=201)
    best = found.plans[0.5].replay_ratio
    true = fit.theta / (1 + fit.theta)

    def balanced(r):
        return 0.5 * (fit.theta * (1 - r) ** 2 + r**2)

    expected = np.mean(balanced(best) - balanced(true))
    assert found.regret[0.5] == pytest.approx(expected, rel=0.02)
    assert best == pytest.approx(true.mean(), abs=0.02)


def test_starts_compare_by_where_runs_end(fit, settings):
    found = bc.balance_points(fit, settings | {"start": ["r1", "r0"]}, [1.0])
    # Two potentials have no interior.
    assert found.plans[1.0].start == "r1"
    assert np.isnan(found.table.loc[(1.0, "loss_potential"), "interior"])


def test_weights_of_one_set_push_the_optimum_to_an_end(fit, settings):
    found = bc.balance_points(fit, settings | {"replay_ratio": (0.1, 0.9)}, [0.0, 1.0])
    ends = found.table.xs("replay_ratio", level="setting")
    assert ends["best"].tolist() == [0.1, 0.9]
    assert ends["at_low"].tolist() == [1.0, 0.0]
    assert ends["at_high"].tolist() == [0.0, 1.0]
    assert any("replay ratio 0.9 is above the fitted 0.8" in note for note in found.notes)


def test_arguments(fit, settings):
    with pytest.raises(PlanError, match=r"general weight 2 is outside 0\.\.1"):
        bc.balance_points(fit, settings | {"replay_ratio": (0.1, 0.9)}, [2])
    with pytest.raises(PlanError, match="nothing to balance"):
        bc.balance_points(fit, settings)
    invalid = {"warmup_share": 0.9, "decay_share": [0.5, 0.6]}
    with pytest.raises(PlanError, match="no recipe of the space has a valid schedule"):
        bc.balance_points(fit, settings | invalid)
