"""Mixture ratios of fits of loss curves, against forecasts with these ratios."""

from dataclasses import replace

import numpy as np
import pytest

import bayescpt as bc
from bayescpt.errors import PlanError
from bayescpt.forecast import forecast
from bayescpt.forecast.curve_ratios import critical_ratio, optimal_ratio
from bayescpt.inference import Fit

SCHEDULE = bc.schedules.wsd(2e-3, 200, 10, 40)
PLAN = bc.Plan("wsd", SCHEDULE, start="pt")


@pytest.fixture(scope="module")
def forgetting(draws):
    """Draws in which the general loss rises by .2 to .8 nats without replay, the target's falls."""
    posterior = draws.posterior.copy(deep=True)
    rng = np.random.default_rng(3)
    size = rng.uniform(0.3, 0.8, posterior["shift_ref"].shape)
    pairs = posterior["pair"].to_numpy()
    posterior["shift_ref"][:] = size * np.where(pairs == "general|target", 1.0, -1.0)
    return replace(draws, posterior=posterior)


def ends(draws, ratios):
    """Expected losses at the end, shape (plans, domains, draws)."""
    plans = [replace(PLAN, name=f"{r}", replay_ratio=float(r)) for r in ratios]
    mu = forecast(draws, plans, [200]).mu.isel(step=0)
    mu = mu.transpose("plan", "domain", "chain", "draw")
    return mu.to_numpy().reshape(*mu.shape[:2], -1)


def test_the_general_loss_is_at_the_limit_in_every_draw(forgetting):
    d = forgetting.labels.domain.index("general")
    whole = ends(forgetting, np.linspace(0, 1, 41))[:, d]
    start = float(np.quantile(whole.min(axis=0), 0.9))
    found = critical_ratio(forgetting, PLAN, 0.1, start_loss=start)
    rising = np.all(np.diff(whole, axis=0) < 0, axis=0)
    inside = (found.target_share > 0.02) & (found.target_share < 0.98) & rising
    assert inside.any()
    for k in np.flatnonzero(inside):
        here = ends(forgetting, [found.replay_ratio[k]])[0, d, k]
        assert here == pytest.approx(start + 0.1, abs=2e-3)
    share = critical_ratio(forgetting, PLAN, f"{0.1 / start:.8%}", start_loss=start)
    np.testing.assert_allclose(share.target_share, found.target_share, atol=1e-6)
    assert found.possible == pytest.approx(np.mean((whole <= start + 0.1).any(axis=0)), abs=0.03)


def test_the_optimum_is_that_of_a_finer_grid(forgetting):
    ratios = np.linspace(0, 1, 401)
    total = ends(forgetting, ratios).sum(axis=1)
    best = ratios[np.argmin(total, axis=0)]
    found = optimal_ratio(forgetting, PLAN)
    # By loss: near a flat optimum the ratio itself is not sharp.
    value = np.array([np.interp(r, ratios, total[:, k]) for k, r in enumerate(found.replay_ratio)])
    np.testing.assert_allclose(value, total.min(axis=0), atol=1e-4)
    assert np.median(np.abs(best - found.replay_ratio)) < 0.01
    only = optimal_ratio(forgetting, PLAN, {"target": 1.0})
    assert only.median > found.median


def test_where_it_leaves_the_pilots_is_noted(forgetting):
    far = replace(PLAN, schedule=bc.schedules.wsd(2e-3, 400, 10, 40))
    notes = optimal_ratio(forgetting, far, {"target": 1.0}).notes
    assert notes[0] == "plan 'wsd': 400 steps are more than the fitted 200"
    assert "lies outside the fitted 0.1 to 0.5" in notes[1]


def test_arguments(forgetting, make_draws):
    with pytest.raises(PlanError, match="unknown domain 'code' in weights"):
        optimal_ratio(forgetting, PLAN, {"code": 1.0})
    with pytest.raises(PlanError, match="none may be below 0"):
        optimal_ratio(forgetting, PLAN, {"general": -1.0})
    with pytest.raises(PlanError, match="tolerance = 'much'"):
        critical_ratio(forgetting, PLAN, "much")
    with pytest.raises(PlanError, match="no general set with losses"):
        critical_ratio(replace(forgetting, study=replace(forgetting.study, general=None)), PLAN, 0)
    none = make_draws(law='replay = "none"')
    with pytest.raises(PlanError, match="card 'test' has no replay term"):
        critical_ratio(none, PLAN, 0.1)


def test_a_fit_has_both_as_methods(forgetting):
    fit = Fit(
        forgetting.card, forgetting.study, forgetting.rows, forgetting.posterior,
        forgetting.posterior, 1,
    )  # fmt: skip
    object.__setattr__(fit, "draws", lambda allow_failed=False: forgetting)
    np.testing.assert_array_equal(
        fit.critical_ratio(PLAN, 0.2).target_share,
        critical_ratio(forgetting, PLAN, 0.2).target_share,
    )
    assert fit.optimal_ratio(PLAN).kind == "optimal"
    with pytest.raises(PlanError, match="no plan: give the schedule"):
        fit.critical_ratio()
