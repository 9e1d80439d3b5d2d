"""A forecast that looks like one of the small real study, made without a model."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import xarray as xr

RECIPES = {"de_r25_wsd": (0.25, "wsd"), "de_r10_cos": (0.10, "cos"), "de_r50_lin": (0.50, "lin")}


def _schedule(shape, n_steps=1000, peak=2e-3):
    """Return the LR of a small continual run, shape (n_steps,)."""
    x = np.arange(1, n_steps + 1) / n_steps
    body = {
        "wsd": np.clip((1 - x) / 0.2, 0, 1),
        "cos": 0.1 + 0.45 * (1 + np.cos(np.pi * x)),
        "lin": 1 - x,
    }[shape]
    return peak * body * np.clip(np.arange(1, n_steps + 1) / 30, 0, 1)


def build_forecast(seed=3, n_draws=250):
    """Return a forecast-like object with three plans and their schedules."""
    rng = np.random.default_rng(seed)
    steps = np.arange(0, 1001, 10)
    shape = (4, n_draws, 1)
    mu = np.empty((4, n_draws, len(RECIPES), 2, len(steps)))
    annealing = rng.normal(0.16, 0.015, shape)
    for i, (replay, kind) in enumerate(RECIPES.values()):
        lr = np.r_[0.0, _schedule(kind)]
        area = np.cumsum(lr)[steps]
        dropped = (lr.max() - lr[steps]) / lr.max() * (steps > 100)
        rise = rng.normal(0.34, 0.02, shape) * (1 - replay) ** 1.5
        gain = rng.normal(1.35, 0.04, shape) * (1 - 0.25 * replay)
        general = 3.25 + rise * (1 - (1 + 30 * area) ** -0.8) - annealing * dropped
        german = 3.95 - gain * (1 - (1 + 12 * area) ** -0.6) - annealing * dropped
        mu[:, :, i, 0], mu[:, :, i, 1] = general, german
    mu[..., 1:] += rng.normal(0, 0.01, (4, n_draws, len(RECIPES), 2, 1))
    loss = mu + rng.normal(0, 0.008, mu.shape)
    dims = ("chain", "draw", "plan", "domain", "step")
    dataset = xr.Dataset(
        {"mu": (dims, mu), "loss": (dims, loss)},
        coords={"plan": list(RECIPES), "domain": ["general", "german"], "step": steps},
        attrs={"units": "nat/token"},
    )
    plans = [
        SimpleNamespace(name=name, schedule=SimpleNamespace(lr=_schedule(kind)))
        for name, (_, kind) in RECIPES.items()
    ]
    return SimpleNamespace(dataset=dataset, plans=plans, warnings=[], failed_checks=[])


def build_curves(fc, run, steps, seed=5):
    """Return a measured curve of a run: one draw of its expected curve plus noise."""
    rng = np.random.default_rng(seed)
    one = fc.dataset["mu"].sel(plan=run, step=steps).isel(chain=1, draw=7)
    frame = one.to_series().rename("loss").reset_index()[["domain", "step", "loss"]]
    frame["loss"] += rng.normal(0, 0.008, len(frame))
    return pd.DataFrame({"run": run, **frame})


@pytest.fixture
def forecast():
    """Return a forecast of three plans on two domains."""
    return build_forecast(n_draws=50)


@pytest.fixture
def curves(forecast):
    """Return the measured curve of the first plan."""
    return build_curves(forecast, "de_r25_wsd", np.arange(0, 1001, 40))
