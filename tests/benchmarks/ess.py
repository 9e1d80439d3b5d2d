"""Smallest bulk effective sample size over all sampled parameters, per second.

Seconds include warm-up and leave compiling out. Ours are those of the whole of `bayescpt.fit`, with
its preparation of the rows; its sampler is compiled by a short fit before. The others sample the
plain elementwise graph of the same density, the same number of draws and chains from the same
starts, at the defaults of their samplers: nutpie's (compiled before), PyMC's own (its own clock,
which starts after compiling) and NumPyro's through PyMC. PyMC compiles the last anew at each call,
inside its clock: a call of one draw, which is all compiling, is measured and subtracted.
"""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import arviz as az
import xarray as xr

import bayescpt as bc
from bayescpt.model.build import rows_model
from bayescpt.model.card_file import load_card
from bayescpt.model.rows import make_rows
from tests.benchmarks.density import plain_sampler
from tests.benchmarks.problem import CARDS, DEFAULT, study
from tests.benchmarks.timing import Options, Result, ratio, seconds

CHAINS = 4
UNIT = "ESS/s"


def smallest_ess(posterior: xr.Dataset) -> float:
    """Of all entries of all variables."""
    found = az.ess(posterior, method="bulk")
    return min(float(found[name].min()) for name in found.data_vars)


def ours(card: str, draws: int) -> Callable[[int], float]:
    """`bayescpt.fit`, its sampler at hand."""
    bc.fit(study(card), card=card, draws=1, tune=10, chains=1, extend=1, progress=False)

    def rate(seed: int) -> float:
        fits: list[bc.Fit] = []

        def fit() -> None:
            made = bc.fit(
                study(card), card=card, seed=seed, draws=draws, tune=draws, extend=1, progress=False
            )
            fits.append(made)

        took = seconds(fit)
        posterior = fits[0].posterior
        sampled = [name for name, values in posterior.items() if values.attrs.get("sampled", 1)]
        return smallest_ess(posterior[sampled]) / took

    return rate


def nutpie_default(card: str, draws: int) -> Callable[[int], float]:
    """The plain graph under nutpie's own settings."""
    import nutpie

    read = load_card(card)
    sampler = plain_sampler(make_rows(study(card), read), read)

    def rate(seed: int) -> float:
        traces: list[Any] = []

        def sample() -> None:
            trace = nutpie.sample(
                sampler, seed=seed, draws=draws, tune=draws, chains=CHAINS, progress_bar=False
            )
            traces.append(trace)

        took = seconds(sample)
        return smallest_ess(traces[0]["posterior"].to_dataset()) / took

    return rate


def _pymc(card: str, draws: int, seed: int, sampler: str) -> tuple[xr.Dataset, float]:
    """Posterior and PyMC's own count of seconds."""
    import pymc as pm

    read = load_card(card)
    model = rows_model(make_rows(study(card), read), read, fused="nothing")
    names = [variable.name for variable in model.free_RVs]
    with model:
        made = pm.sample(
            draws=draws, tune=draws, chains=CHAINS, cores=min(CHAINS, os.cpu_count() or 1),
            random_seed=seed, nuts_sampler=sampler, progressbar=False, quiet=True,
            compute_convergence_checks=False, var_names=names,
        )  # fmt: skip
    posterior = made["posterior"].to_dataset()
    return posterior, float(posterior.attrs["sampling_time"])


def pymc_own(card: str, draws: int) -> Callable[[int], float]:
    """PyMC's sampler in Python."""

    def rate(seed: int) -> float:
        posterior, took = _pymc(card, draws, seed, "pymc")
        return smallest_ess(posterior) / took

    return rate


def numpyro(card: str, draws: int) -> Callable[[int], float]:
    """NumPyro on JAX for the CPU, a device for each chain."""
    import numpyro as library

    library.set_host_device_count(CHAINS)
    compiling = _pymc(card, 1, 1, "numpyro")[1]

    def rate(seed: int) -> float:
        posterior, took = _pymc(card, draws, seed, "numpyro")
        return smallest_ess(posterior) / (took - compiling)

    return rate


# PyMC's own forks its chains: before NumPyro starts the threads of JAX.
RIVALS = {
    "nutpie, plain graph": (nutpie_default, ">= 8", False),
    "PyMC, plain graph": (pymc_own, ">= 20", True),
    "NumPyro, plain graph": (numpyro, ">= 3", True),
}


def run(options: Options) -> Iterator[Result]:
    """Every card against every sampler."""
    logging.getLogger("pymc").setLevel(logging.ERROR)
    cards = options.cards or ((DEFAULT,) if options.quick else CARDS)
    # The plain graph takes two minutes for so few.
    draws = 50 if options.quick else 300
    case = f"{CHAINS} chains of {draws} + {draws} draws"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the other samplers: forks, old names
        rates = {}
        for card in cards:
            rate = ours(card, draws)
            rates[card] = [rate(seed) for seed in range(options.repeats)]
        for against, (make, target, slow) in RIVALS.items():
            for card in cards:
                rate = make(card, draws)
                repeats = options.slow_repeats if slow else options.repeats
                theirs = [rate(seed) for seed in range(repeats)]
                better = ratio(rates[card], theirs)
                yield Result(f"{card}, {case}", rates[card], UNIT, against, theirs, better, target)
