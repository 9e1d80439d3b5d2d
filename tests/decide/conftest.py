"""Forecasts made by hand, without a model."""

from collections.abc import Callable, Mapping
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr

from bayescpt.data import schedules
from bayescpt.evaluate.generate import draw_parameters
from bayescpt.forecast import Plan
from bayescpt.inference import Check, Fit
from bayescpt.model.card_file import load_card
from bayescpt.model.rows import make_rows

MakeForecast = Callable[..., SimpleNamespace]


def build_forecast(
    losses: Mapping[str, Mapping[str, np.ndarray]], steps: list[int] | None = None
) -> SimpleNamespace:
    """Return a forecast-like object from losses[plan][domain] of shape (chain, draw[, step]).

    A plan ends at its last step that is not NaN.
    """
    plans = list(losses)
    domains = list(dict.fromkeys(name for by_domain in losses.values() for name in by_domain))
    arrays = {
        (plan, domain): np.asarray(values, dtype=float)
        for plan, by_domain in losses.items()
        for domain, values in by_domain.items()
    }
    arrays = {key: v[..., None] if v.ndim == 2 else v for key, v in arrays.items()}
    n_chains, n_draws, n_steps = next(iter(arrays.values())).shape
    out = np.full((n_chains, n_draws, len(plans), len(domains), n_steps), np.nan)
    for (plan, domain), values in arrays.items():
        out[:, :, plans.index(plan), domains.index(domain)] = values
    dims = ("chain", "draw", "plan", "domain", "step")
    steps = list(range(1, n_steps + 1)) if steps is None else steps
    dataset = xr.Dataset(
        {"loss": (dims, out), "mu": (dims, out - 1.0)},
        coords={"plan": plans, "domain": domains, "step": steps},
    )
    present = ~np.isnan(out).all(axis=(0, 1, 3))
    recipes = [
        Plan(plan, schedules.constant(1e-3, max(np.array(steps)[row], default=1)))
        for plan, row in zip(plans, present, strict=True)
    ]
    return SimpleNamespace(dataset=dataset, plans=recipes, warnings=[], failed_checks=[])


@pytest.fixture
def make_forecast() -> MakeForecast:
    """Return the builder of forecasts."""
    return build_forecast


@pytest.fixture
def rng() -> np.random.Generator:
    """Return a seeded generator."""
    return np.random.default_rng(20261121)


class PriorFit(Fit):
    """A fit that was never sampled: its draws come from the priors, its checks are given."""

    given: tuple[Check, ...] = ()

    def checks(self) -> list[Check]:
        return list(self.given)


@pytest.fixture(scope="session")
def prior_fit(simulated_study) -> PriorFit:
    """Fit of four cpt runs of 200 steps at peak 2e-3, replay 0.1 and 0.5; 2 chains of 40 draws."""
    card = load_card("cpt_replay")
    rows = make_rows(simulated_study, card)
    rng = np.random.default_rng(11)
    middle = draw_parameters(card, rows, rng)
    spread = middle.isel(chain=[0] * 2, draw=[0] * 40).assign_coords(chain=range(2), draw=range(40))
    # Near one another, as a posterior's draws are.
    posterior = spread.map(lambda v: v * np.exp(0.03 * rng.standard_normal(v.shape)))
    return PriorFit(card, simulated_study, rows, posterior, xr.Dataset(), 11)
