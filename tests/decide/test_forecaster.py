"""An ensemble of fits stands where a fit does."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
import xarray as xr

from bayescpt.data import schedules
from bayescpt.decide import compare, goal_probability, optimise, screen
from bayescpt.errors import ConvergenceError, PlanError
from bayescpt.forecast import Forecast, Plan
from bayescpt.inference import Check

WSD = schedules.wsd(2e-3, 200, 10, 40)
PLANS = [Plan(f"plan {n}", WSD, 0.1 + 0.1 * n, start="pt") for n in range(4)]
SPACE = {
    "schedule": "wsd", "num_training_steps": 200, "warmup_share": 0.05, "lr": 2e-3,
    "decay_share": [0.1, 0.3, 0.6], "replay_ratio": [0.1, 0.3, 0.5],
}  # fmt: skip


@dataclass
class PlacedByAll:
    members: list
    outside: tuple[str, ...]


@dataclass
class EnsembleScreener:
    members: list

    @property
    def domains(self):
        return self.members[0].domains

    @property
    def n_chains(self):
        return sum(member.n_chains for member in self.members)

    @property
    def n_draws(self):
        return sum(member.n_draws for member in self.members)

    @property
    def checkpoints(self):
        return self.members[0].checkpoints

    @property
    def ranges(self):
        return self.members[0].ranges

    def place(self, plan):
        placed = [member.place(plan) for member in self.members]
        return PlacedByAll(placed, placed[0].outside)

    def evaluator(self, seed=0):
        evaluators = [member.evaluator(seed) for member in self.members]

        def _evaluate(plans, kind="loss"):
            return np.concatenate(
                [
                    evaluate([plan.members[k] for plan in plans], kind)
                    for k, evaluate in enumerate(evaluators)
                ],
                axis=-1,
            )

        return _evaluate


@dataclass
class Ensemble:
    """Equal mixture of fits of one study: their chains side by side."""

    members: list

    @property
    def failed_checks(self):
        return [name for member in self.members for name in member.failed_checks]

    def forecast(self, plans, steps=None, seed=0, allow_failed=False):
        forecasts = [member.forecast(plans, steps, seed, allow_failed) for member in self.members]
        dataset = xr.concat([fc.dataset for fc in forecasts], "chain", join="outer")
        first = forecasts[0]
        return Forecast(dataset, first.plans, first.warnings, self.failed_checks)

    def screener(self, allow_failed=False):
        return EnsembleScreener([member.screener(allow_failed) for member in self.members])


@pytest.fixture(scope="module")
def other_fit(prior_fit):
    """A fit of the same study whose losses are higher."""
    posterior = prior_fit.posterior.map(lambda values: values * 1.02)
    return replace(prior_fit, posterior=posterior.assign_coords(chain=[2, 3]))


@pytest.fixture(scope="module")
def ensemble(prior_fit, other_fit):
    return Ensemble([prior_fit, other_fit])


@pytest.fixture(scope="module")
def goal(ensemble):
    losses = ensemble.forecast(PLANS, steps=[200]).loss
    return {str(name): float(losses.sel(domain=name).median()) for name in losses["domain"].values}


def test_screen_takes_an_ensemble(ensemble, prior_fit, other_fit, goal):
    table = screen(ensemble, PLANS, goal, risk="mean", seed=4, chunk_bytes=1)
    members = [screen(fit, PLANS, goal, risk="mean", seed=4) for fit in (prior_fit, other_fit)]
    for column in ("joint", *goal, "mean"):
        expected = (members[0][column] + members[1][column]) / 2
        np.testing.assert_allclose(table[column], expected, rtol=1e-12)
        assert not np.allclose(members[0][column], members[1][column])


def test_decisions_take_the_forecast_of_an_ensemble(ensemble, goal):
    forecast = ensemble.forecast(PLANS, steps=[200], seed=4)
    assert forecast.loss.sizes["chain"] == 4
    table = screen(ensemble, PLANS, goal, risk="cvar", seed=4)
    chances = goal_probability(forecast, goal)
    np.testing.assert_allclose(chances["joint"], table["joint"], rtol=1e-12)
    decision = compare(forecast, goal, risk="cvar")
    np.testing.assert_allclose(decision.table["cvar"], table["cvar"], rtol=1e-12)


def test_optimise_takes_an_ensemble(ensemble, goal):
    found = optimise(ensemble, SPACE, goal)
    assert len(found.tried) == 9
    forecast = ensemble.forecast(found.plans, steps=[200], seed=1)
    assert found.plan.name == compare(forecast, goal, risk="probability").best


def test_failed_checks_of_a_member_count(prior_fit, other_fit):
    failing = replace(other_fit)
    object.__setattr__(failing, "given", (Check("R-hat", "fail", 1.2, 1.01, "more draws"),))
    ensemble = Ensemble([prior_fit, failing])
    for call in (
        lambda: screen(ensemble, PLANS),
        lambda: optimise(ensemble, SPACE),
    ):
        with pytest.raises(ConvergenceError, match="R-hat"):
            call()
    assert screen(ensemble, PLANS, allow_failed=True).attrs["failed_checks"] == ["R-hat"]
    found = optimise(ensemble, SPACE, allow_failed=True)
    assert "the fit failed its check: R-hat" in found.warnings


def test_what_does_not_forecast_is_an_error(prior_fit):
    forecast = prior_fit.forecast(PLANS, steps=[200])
    text = "a Forecast cannot be screened: it has no forecast, screener; give a Fit"
    for call in (lambda: screen(forecast, PLANS), lambda: optimise(forecast, SPACE)):
        with pytest.raises(PlanError, match=text):
            call()
