"""Exponents of the model size come back, and those of the fleet are read by cards."""

from dataclasses import replace

import numpy as np
import pytest

from bayescpt.data import load_example
from bayescpt.data.sizes import model_sizes
from bayescpt.evaluate.several_sizes import several_sizes
from bayescpt.model.card_file import load_card
from case_studies.learn_priors import StudyFit, entries_of
from case_studies.learn_sizes import joint_study

NOISE = 0.005
TRUE = {
    "size_base": 0.1, "size_anneal": 0.08, "size_shift": -0.08, "size_speed": 0.2,
    "size_keep": -0.12, "size_jump": 0.01,
}  # fmt: skip


def test_a_target_of_the_fleet_is_one_study_of_three_sizes():
    study = joint_study("code", ("100k", "330k"))
    assert model_sizes(study) == (98304.0, 331776.0)
    # Peaks of .003 and .002.
    units = study.lr_units.values()
    assert max(units) / min(units) == pytest.approx(1.5)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_exponents_of_a_simulated_study_are_recovered(seed):
    """95% intervals hold them, from five runs of each of three sizes; all else is unknown too."""
    rng = np.random.default_rng(seed)
    micro = load_example("cpt_micro")
    pilots = ["de_r0_wsd", "de_r10_wsd", "de_r50_wsd", "de_r25_cos", "de_r25_wsd_p25"]
    one = micro.select([name for name in pilots if name in micro])
    runs = one.runs.assign(split="fit")
    study = several_sizes(replace(one, runs=runs), {0.25: 1.4, 4.0: 0.7})
    card = load_card("cpt_sizes")
    entries = entries_of(card, own_priors=True)
    fit = StudyFit(study, card, entries)
    mean, sd = np.array([entry.start for entry in entries]).T
    at = mean + 0.5 * sd * rng.standard_normal(mean.size)
    names = [entry.parameter.name for entry in entries]
    for k, name in enumerate(names):
        sign = 1.0 if entries[k].target else -1.0
        at[k] = sign * TRUE[name] if name in TRUE else at[k]
        if name == "shift_ref":  # forgets in general, learns the target
            at[k] = -1.0 * sign
    expected = fit.rows.loss - fit.residuals(at)
    noisy = expected + NOISE * rng.standard_normal(expected.size)
    fit.rows = replace(fit.rows, loss=noisy)
    fit.white = [np.eye(curve.rows.size) / NOISE for curve in fit.curves]
    mode, covariance = fit.fit(mean, sd, mean)
    z = (mode - at) / np.sqrt(np.diag(covariance))
    sized = np.array([name.startswith("size_") for name in names])
    assert (np.abs(z[sized]) < 1.96).mean() >= 0.8, dict(zip(names, z.round(1), strict=True))
    assert np.abs(z[sized]).max() < 4.0
    # The data tell: intervals are narrower than the priors, but for the base term's.
    told = sized & (np.array(names) != "size_base")
    assert (np.sqrt(np.diag(covariance))[told] < 0.8 * sd[told]).mean() > 0.7
