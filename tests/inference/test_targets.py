"""Populations of targets come back from simulated studies, and a target without runs is covered."""

import numpy as np
import pytest

from bayescpt.forecast import Plan
from bayescpt.inference import fit as sample
from bayescpt.inference import load_fit
from bayescpt.inference.card_check import default_card
from bayescpt.inference.idata import prior_draws
from bayescpt.model.card_file import load_card
from bayescpt.model.rows import make_rows
from tests.targets import STEPS, several_targets, simulated

CARD = load_card("cpt_targets")
TARGETS = ("near", "mid", "far", "next")
# Sides of the truth: shifts of 1 and 1.5 nats at the mean of the targets with runs, a slope of 1.
CENTER, SLOPE, LEFT = {"general": 1.0, "target": -1.5}, 1.0, 0.1


def truth_of(rows, seed):
    """Parameters drawn from the card's prior, whose shifts follow the covariate."""
    rng = np.random.default_rng(seed)
    drawn = prior_draws(CARD, rows, rng, 1)
    # Runs that tell: the noise of a good log, and nothing that lasts for a whole run.
    for name, value in (("sigma", 0.003), ("run_sd", 1e-4), ("early", 0.0)):
        drawn[name] = drawn[name] * 0.0 + value
    sides, x = rows.labels.sides, rows.covariate
    center = np.array([CENTER[side] for side in sides])
    left = LEFT * center * rng.standard_normal(center.size)
    drawn["shift_ref"] = drawn["shift_ref"] * 0.0 + center * (1.0 + SLOPE * x) + left
    return drawn


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_target_without_runs_is_forecast_from_the_others(seed, tmp_path):
    """Its last losses lie in 99.8% bands, which an absurd target does not.

    The shifts of targets with runs come back within 4 standard deviations.
    """
    design = several_targets(TARGETS)
    truth = truth_of(make_rows(design, CARD), seed)
    whole = simulated(design, CARD, truth, seed)
    planned = several_targets(TARGETS, planned=("next",))
    curves = whole.curves[~whole.curves["run"].str.startswith("next_")]
    train = planned.from_frames(curves, planned.runs, planned.lrs, general="general")
    assert default_card(train) == "cpt_targets"
    fit = sample(train, random_seed=seed, draws=300, tune=300, chains=2, extend=1, progress=False)
    for name in ("near", "mid", "far"):
        for pair in (f"general|{name}", f"{name}|{name}"):
            drawn = fit.posterior["shift_ref"].sel(pair=pair).to_numpy().ravel()
            true = float(truth["shift_ref"].sel(pair=pair).squeeze())
            assert abs(drawn.mean() - true) < 4.0 * np.hypot(drawn.std(), 0.02), pair
    plans = [Plan.from_run(train.run(f"next_r{r}")) for r in (0, 25)]
    made = fit.forecast(plans, [STEPS], allow_failed=True)
    assert any("no fitted run trains on 'next'" in text for text in made.warnings)
    fit.save(tmp_path / "fit.nc")
    again = load_fit(tmp_path / "fit.nc").forecast(plans, [STEPS], allow_failed=True)
    np.testing.assert_array_equal(again.loss, made.loss)
    ends = made.loss.isel(step=0)
    for plan in plans:
        for domain in ("general", "next"):
            drawn = ends.sel(plan=plan.name, domain=domain).to_numpy().ravel()
            seen = whole.curve(plan.name, domain)["loss"].iloc[-1]
            low, high = np.quantile(drawn, [0.001, 0.999])
            assert low - 0.02 < seen < high + 0.02, (plan.name, domain)
    # Negative control: a target whose shift is five times that of the population.
    start = train.checkpoint_loss("base", "general")
    absurd = start + 5.0 * (whole.curve("next_r0", "general")["loss"].iloc[-1] - start)
    drawn = ends.sel(plan="next_r0", domain="general").to_numpy().ravel()
    assert not np.quantile(drawn, 0.001) < absurd < np.quantile(drawn, 0.999)
    # All plans of the target share its draw, as far as their recipes are alike.
    both = [ends.sel(plan=plan.name, domain="next").to_numpy().ravel() for plan in plans]
    assert np.corrcoef(both)[0, 1] > 0.5
