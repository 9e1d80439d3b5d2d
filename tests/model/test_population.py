"""Populations of targets in the model: labels, covariates, prior draws and densities."""

import numpy as np
import pytest
from scipy import stats

from bayescpt.data.study import Study
from bayescpt.inference.idata import log_prior, prior_draws
from bayescpt.model.build import rows_model
from bayescpt.model.card_file import load_card
from bayescpt.model.net import sampled_point
from bayescpt.model.rows import make_rows
from tests.targets import several_targets

CARD = load_card("cpt_targets")


@pytest.fixture(scope="module")
def study() -> Study:
    """Runs on three targets, and a planned one on a fourth."""
    return several_targets(("near", "mid", "far", "next"), planned=("next",))


@pytest.fixture(scope="module")
def rows(study):
    return make_rows(study, CARD)


def test_a_planned_target_has_pairs_and_no_rows(rows):
    assert ("next", "next") in rows.labels.pair
    assert ("general", "next") in rows.labels.pair
    assert "next" not in {domain for _, domain in rows.labels.curve}
    assert set(rows.labels.sides) == {"general", "target"}
    # Negative control: without a population only fitted runs have pairs.
    alone = make_rows(several_targets(("near", "mid", "far", "next"), planned=("next",)),
                      load_card("cpt_fade"))  # fmt: skip
    assert "next" not in {target for _, target in alone.labels.pair}


def test_the_covariate_is_what_the_start_loss_is_above_the_general_one(study, rows):
    """The excess less the mean over targets with runs, over their root mean square."""
    start = study.run(study.cpt_runs[0]).parent
    excess = {
        t: study.checkpoint_loss(start, t) - study.checkpoint_loss(start, "general")
        for t in study.targets
    }
    fitted = np.array([excess[t] for t in ("near", "mid", "far")])
    for (_, target), found in zip(rows.labels.pair, rows.covariate, strict=True):
        expected = (excess[target] - fitted.mean()) / np.sqrt((fitted**2).mean())
        assert found == pytest.approx(expected)


def test_prior_draws_of_a_side_have_something_in_common(rows):
    """Correlations within 5 standard errors of 1 / (1 + q^2); none between the sides."""
    n = 4000
    drawn = prior_draws(CARD, rows, np.random.default_rng(3), n).isel(chain=0)
    logs = np.log(drawn["onset"])
    prior = CARD.priors["onset"].args
    q = np.exp(CARD.priors["onset_between"].args["mu"])
    near, far = (logs.sel(pair=f"{t}|{t}").to_numpy() for t in ("near", "next"))
    general = logs.sel(pair="general|near").to_numpy()
    assert stats.kstest((far - prior["mu"]) / prior["sigma"], "norm").pvalue > 1e-4
    # q varies by its prior: the mean of 1 / (1 + q^2), to a third of a tenth.
    assert np.corrcoef(near, far)[0, 1] == pytest.approx(1 / (1 + q**2), abs=0.03 + 5 / n**0.5)
    assert abs(np.corrcoef(near, general)[0, 1]) < 5 / n**0.5


def test_the_density_of_the_priors_is_that_of_the_model(rows):
    """PyMC's log density of the parameters, and the one that prior sensitivity uses."""
    model = rows_model(rows, CARD, fused="mean", starts=False)
    drawn = prior_draws(CARD, rows, np.random.default_rng(5), 1)
    ours = log_prior(CARD, drawn, rows)
    names = [p.name for p in CARD.parameters()] + ["start_offset"]
    point = sampled_point({n: drawn[n].to_numpy()[0, 0] for n in names}, rows, CARD)
    values = {}
    for variable in model.free_RVs:
        value = model.rvs_to_values[variable]
        at = point[variable.name]
        values[value.name] = np.log(at) if value.name.endswith("_log__") else at
    for name in ("onset", "shift_ref", "share_gamma", "anneal_ref"):
        key = "shift_ref_net" if name == "shift_ref" else name
        density = model.compile_logp(vars=[model[key]], jacobian=False)(values)
        assert density == pytest.approx(float(ours[name].sum()), rel=1e-9)
