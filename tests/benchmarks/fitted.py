"""One fit of the reference problem, sampled once for all benchmarks that ask for it."""

from __future__ import annotations

from functools import cache

import numpy as np
import xarray as xr

import bayescpt as bc
from bayescpt.data import schedules
from bayescpt.forecast import Draws
from tests.benchmarks.problem import SEED, study

START = "pt"
STEPS = 5_000


@cache
def reference_fit(quick: bool = False) -> bc.Fit:
    """Fit of the default card; the speed of a forecast does not ask how good it is."""
    draws = 50 if quick else 1000
    return bc.fit(
        study(), seed=SEED, draws=draws, tune=200 if quick else 500, extend=1, progress=False
    )


def draws_of(fit: bc.Fit, number: int) -> Draws:
    """`number` posterior draws, repeated where the fit has fewer."""
    flat = fit.posterior.stack(sample=("chain", "draw"), create_index=False)
    at = xr.DataArray(np.arange(number) % flat.sizes["sample"], dims="draw")
    picked = flat.drop_vars(["chain", "draw"], errors="ignore").isel(sample=at)
    ordered = picked.expand_dims(chain=[0]).assign_coords(draw=np.arange(number))
    return Draws(ordered.transpose("chain", "draw", ...), fit.card, fit.study, fit.rows)


def plans(number: int, ratios: int = 1) -> list[bc.Plan]:
    """Recipes that differ in replay ratio, length of the decay and peak LR.

    Parameters
    ----------
    number : int
        How many.
    ratios : int
        So many in a row have one schedule, as in a search of replay ratios.

    Returns
    -------
    list of Plan
    """
    rng = np.random.default_rng(SEED)
    made: list[bc.Plan] = []
    while len(made) < number:
        schedule = schedules.wsd(
            lr=2e-4 * rng.uniform(0.5, 2.0),
            num_training_steps=STEPS,
            num_warmup_steps=100,
            num_decay_steps=int(rng.integers(250, 2500)),
        )
        for ratio in rng.uniform(0.0, 0.5, min(ratios, number - len(made))):
            made.append(bc.Plan(f"plan {len(made)}", schedule, float(ratio), start=START))
    return made
