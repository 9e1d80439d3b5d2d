"""Loss potential of start checkpoints."""

import numpy as np
import pytest

import bayescpt as bc
from bayescpt.errors import PlanError


def general(theta, potential, **_):
    return 3.0 + theta * potential


def german(theta, potential, **_):
    return 2.0 - (theta - 1.2) * potential


@pytest.fixture(scope="module")
def fit(formula_fit):
    return formula_fit(general, german, starts=("r1", "r0"))


def test_ends_and_differences_by_start(fit):
    plan = bc.Plan("p", bc.schedules.wsd(2e-3, 1000, 30, 200), 0.4)
    table = bc.loss_potential(fit, plan, starts=["r1", "r05", "r0"])
    assert table["potential"].to_dict() == {"r0": 0.0, "r05": 0.5, "r1": 1.0}
    assert table.loc["r1", "german_prob_lower"] == pytest.approx(np.mean(fit.theta > 1.2))
    assert np.isnan(table.loc["r0", "german_prob_lower"])
    assert table.loc["r05", "general_difference"] == pytest.approx(np.median(fit.theta) / 2)
    assert table.loc["r05", "outside"].startswith("no fitted run starts from checkpoint 'r05'")
    assert (table["general_start"] == 3.0).all()
    assert list(bc.loss_potential(fit, plan).index) == ["r0", "r1"]


def test_arguments(fit):
    plan = bc.Plan("p", bc.schedules.wsd(2e-3, 1000, 30, 200), 0.4)
    with pytest.raises(PlanError, match="unknown start checkpoint 'r9'; runs are r0, r05, r1"):
        bc.loss_potential(fit, plan, starts=["r9"])
    with pytest.raises(PlanError, match="prob = 1"):
        bc.loss_potential(fit, plan, prob=1)
    with pytest.raises(PlanError, match="no start checkpoint"):
        bc.loss_potential(fit, plan, starts=[])
