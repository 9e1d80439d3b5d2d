"""Conformal bands hold what is exchangeable with the pilots, and no more."""

from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr

from bayescpt.errors import PlanError
from bayescpt.evaluate import backtest, baselines
from bayescpt.evaluate.baselines.conformal import CAP, conformal_draws, conformal_runs

N_STUDIES = 3000


def band(draws, level):
    return np.quantile(draws, [(1 - level) / 2, (1 + level) / 2], axis=0)


def coverage(n, level, scale=1.0, seed=1):
    """Share of new errors inside bands from n errors; a scale other than 1 breaks the exchange."""
    rng = np.random.default_rng(seed)
    inside = 0
    for _ in range(N_STUDIES):
        # Heavy tails, and a bias that all share: exchangeable, neither normal nor independent.
        errors = 0.02 * rng.standard_t(3, n + 1) + 0.01 * rng.standard_normal()
        low, high = band(conformal_draws(np.array([3.0]), errors[:n, None], rng, 200), level)
        inside += low[0] <= 3.0 + scale * errors[n] <= high[0]
    return inside / N_STUDIES


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize(("n", "level"), [(9, 0.9), (19, 0.9), (12, 0.8), (4, 0.5)])
def test_bands_hold_exchangeable_errors(n, level, seed):
    error = np.sqrt(level * (1 - level) / N_STUDIES)
    share = coverage(n, level, seed=seed)
    # Exact: the rank of the new error is uniform. Above the level by less than 1 / (n + 1).
    exact = np.ceil((n + 1) * level) / (n + 1)
    assert abs(share - exact) < 4 * error


@pytest.mark.parametrize("seed", [1, 2])
def test_bands_do_not_hold_errors_of_another_size(seed):
    error = np.sqrt(0.9 * 0.1 / N_STUDIES)
    assert coverage(9, 0.9, scale=3.0, seed=seed) < 0.9 - 20 * error


@pytest.mark.parametrize(("n", "finite"), [(4, 0.75), (8, 0.88), (9, 0.9)])
def test_few_runs_have_bands_as_wide_as_the_cap(n, finite):
    errors = np.linspace(0.01, 0.02, n)[:, None]
    draws = conformal_draws(np.zeros(1), errors, np.random.default_rng(1))
    low, high = band(draws, finite)
    np.testing.assert_allclose([low[0], high[0]], [-0.02, 0.02], atol=1e-4)
    beyond = band(draws, n / (n + 1) + 0.02)
    np.testing.assert_allclose(beyond[:, 0], [-CAP * 0.02, CAP * 0.02])


def test_a_draw_is_the_error_of_one_run_at_all_rows():
    errors = np.array([[0.01, 0.03], [-0.02, 0.05]])
    draws = conformal_draws(np.array([3.0, 2.0]), errors, np.random.default_rng(1), 600)
    found = {tuple(row) for row in np.round(draws - [3.0, 2.0], 9)}
    wanted = [*errors, *-errors, [CAP * 0.02, CAP * 0.05], [-CAP * 0.02, -CAP * 0.05]]
    assert found == {tuple(np.round(row, 9)) for row in wanted}


OFFSETS = {"r0_wsd": 0.04, "r25_wsd": -0.01, "r50_wsd": 0.02}


def biased_fit(study):
    """Fit whose forecasts of a run are off by a known amount, which does not depend on the fit."""

    def fit(train, card, seed, progress):
        def predict(plans, steps, seed, allow_failed):
            [plan] = plans
            domains = ["general", "target"]
            truth = [
                study.curve(plan.name, d).set_index("step")["loss"].loc[steps] for d in domains
            ]
            middle = np.array(truth) - OFFSETS.get(plan.name, 0.0)
            loss = (
                middle[None, None, None] + 0.001 * np.array([-1, 0, 1])[None, :, None, None, None]
            )
            dims = ("chain", "draw", "plan", "domain", "step")
            coords = {"plan": [plan.name], "domain": domains, "step": steps}
            return SimpleNamespace(dataset=xr.Dataset({"loss": (dims, loss)}, coords))

        calls.append(sorted(n for n in train.cpt_runs if train.is_observed(n)))
        return SimpleNamespace(forecast=predict, failed_checks=["R-hat"] * (len(calls) == 1))

    calls = []
    fit.calls = calls
    return fit


def test_bands_are_the_errors_of_the_pilots_left_out(study):
    fit = biased_fit(study)
    made = backtest(study, by="split", fit_runs=list(OFFSETS), method=baselines.conformal, fit=fit)
    # Each pilot left out, then all of them once for all other runs.
    assert fit.calls == [
        *(sorted(set(OFFSETS) - {name}) for name in OFFSETS),
        sorted(OFFSETS),
    ]
    row = made.table.query("run == 'r10_cosine' and step == 3000").iloc[0]
    # Errors of .04, .01 and .02 either way: half of the draws lie within .02.
    assert row["median"] == pytest.approx(row["observed"], abs=0.011)
    assert row["q0.25"] == pytest.approx(row["observed"] - 0.02, abs=1e-6)
    assert row["q0.75"] == pytest.approx(row["observed"] + 0.02, abs=1e-6)
    assert row["q0.95"] == pytest.approx(row["observed"] + CAP * 0.04, abs=1e-6)
    assert set(made.fits["failed_checks"]) == {"R-hat"}


def test_around_the_plain_fit(study, monkeypatch):
    cards = []
    fit = biased_fit(study)

    def spy(train, card, seed, progress):
        cards.append(card.name)
        return fit(train, card, seed, progress)

    backtest(
        study, by="split", fit_runs=list(OFFSETS), runs=["r10_cosine"],
        method=baselines.conformal_iid, fit=spy,
    )  # fmt: skip
    assert cards == ["cpt_fade-iid"] * 4


def test_one_run_has_no_errors(study):
    train = study.select(["r0_wsd"])
    rows = train.curve("r0_wsd", "general")[["step"]].assign(domain="general")
    with pytest.raises(PlanError, match="conformal bands need two"):
        conformal_runs(train, {"r0_wsd": rows}, seed=1)
