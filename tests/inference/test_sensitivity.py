"""What priors carry, told by power-scaling of the small fit."""

from dataclasses import replace

import numpy as np
import pymc as pm
import pytest

import bayescpt as bc
from bayescpt.errors import FitError
from bayescpt.inference.sensitivity import PRIOR_CARRIES, _log_likelihood
from bayescpt.laws.noise import CORRELATION_LENGTH
from bayescpt.model.build import build_model
from bayescpt.model.net import sampled_point
from bayescpt.model.priors import parse_prior


@pytest.fixture(scope="module")
def table(study):
    # With few draws chance alone moves the weighted ones.
    made = bc.fit(study, "cpt_replay", seed=3, draws=500, tune=500, extend=1, progress=False)
    plan = bc.Plan.from_run(study.run("r25_wsd"))
    return bc.prior_sensitivity(made, plan, allow_failed=True)


def test_the_likelihood_is_that_of_the_model(small_fit):
    found = _log_likelihood(small_fit, allow_failed=True)["loss"].to_numpy()
    model = build_model(small_fit.study, small_fit.card)
    exact = []
    for draw in (0, 70):
        at = small_fit.posterior.isel(chain=1, draw=draw)
        names = [v.name.removesuffix("_net") for v in model.free_RVs]
        values = {name: at[name].to_numpy() for name in names}
        point = sampled_point(values, small_fit.rows, small_fit.card)
        with pm.do(model, point) as given:
            exact.append(given.compile_logp(vars=[given["loss"]], mode="FAST_COMPILE")({}))
    assert found[1, 70] - found[1, 0] == pytest.approx(exact[1] - exact[0], rel=1e-6)


def test_the_pilots_peak_lr_is_carried_by_the_prior_and_the_noise_is_not(table):
    # All runs of the study have one peak LR.
    assert table.loc["shift_peak", "finding"] == PRIOR_CARRIES
    assert table.loc["sigma[general]", "finding"] == ""
    assert table.loc["sigma[general]", "likelihood"] > 0.05
    assert any("another peak LR" in sentence for sentence in table.attrs["advice"])


def test_parameters_and_final_losses_are_all_there(table):
    assert {"final loss r25_wsd[general]", "final loss r25_wsd[target]"} <= set(table.index)
    assert "share_kappa[general|target]" not in table.index  # it has no part in the law
    assert "share_kappa[target|target]" in table.index
    assert np.isfinite(table[["prior", "likelihood"]].to_numpy()).all()


def test_a_card_of_chained_noise_is_refused(small_fit):
    length = CORRELATION_LENGTH
    prior = parse_prior({**length.default, "reason": length.reason}, length.name)
    priors = {**small_fit.card.priors, length.name: prior}
    other = replace(small_fit.card, ar1=True, run_effects=(), priors=priors)
    chained = bc.Fit(
        other, small_fit.study, small_fit.rows, small_fit.posterior, small_fit.sample_stats, 1
    )
    with pytest.raises(FitError, match="needs a card with independent normal noise"):
        bc.prior_sensitivity(chained)
