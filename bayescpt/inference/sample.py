"""Fit a study: prepare, compile once, sample, check."""

from __future__ import annotations

import os
import sys
import warnings
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from bayescpt.errors import FitError
from bayescpt.forecast import Draws
from bayescpt.forecast.discrepancy.judge import add_discrepancy
from bayescpt.inference.checks import SMALLEST_ESS
from bayescpt.inference.compile import compiled_sampler, is_compiled, pad
from bayescpt.inference.fit import Fit
from bayescpt.inference.progress import Callback, live_progress
from bayescpt.inference.start import started
from bayescpt.inference.symbols import add_symbols
from bayescpt.model.card import Card
from bayescpt.model.card_file import load_card
from bayescpt.model.rows import Rows, make_rows

if TYPE_CHECKING:
    from bayescpt.data import Study

# The posterior has ridges (onset and beta, gamma and eps) that a diagonal mass matrix crawls along.
ADAPTATION = "low_rank"
TARGET_ACCEPT = 0.95
# At the start of the warm-up, without a metric yet, trees grow to whatever is allowed and teach
# little. 255 steps are enough for every posterior met (15 once it is warm), and so are 500 draws of
# warm-up: together they halved the gradients of a fit, at the same effective draws.
MAX_DEPTH = 8
# A few pilots leave curved ridges; on subsets of the small real study four times the draws suffice.
EXTEND = 4
# What more draws can mend.
_MIXING = {"R-hat", "bulk ESS", "tail ESS"}


def default_card(study: Study) -> str:
    """Name of the shipped card that fits a study's runs.

    Parameters
    ----------
    study : Study
        The study.

    Returns
    -------
    str
        ``annealing`` without the curve of a CPT run, ``cpt`` if no CPT run replays, else
        ``cpt_replay``.
    """
    if not any(study.is_observed(name) for name in study.cpt_runs):
        return "annealing"
    # Planned runs count here: what is to be forecast must be in the law.
    ratios = [np.max(study.run(name).replay_ratio) for name in study.cpt_runs]
    return "cpt_replay" if max(ratios) > 0 else "cpt"


def fit(
    study: Study,
    card: str | Path | Card | None = None,
    seed: int = 1,
    draws: int = 1000,
    tune: int = 500,
    chains: int = 4,
    cores: int | None = None,
    progress: bool = True,
    target_accept: float = TARGET_ACCEPT,
    extend: int = EXTEND,
) -> Fit:
    """Sample the posterior of a card given a study, by NUTS.

    The sampler of a card is compiled once on a machine, and kept in the user's cache folder
    (BAYESCPT_CACHE names another; empty, none); fits of other studies under the same card reuse it.
    The same seed gives the same draws whatever the number of cores.

    Parameters
    ----------
    study : Study
        Runs and curves.
    card : str, Path, Card or None
        Shipped card, TOML file or Card; None chooses by the study, see `default_card`.
    seed : int
        Seed.
    draws, tune : int
        Kept and warm-up draws of each chain.
    chains : int
        Number of chains.
    cores : int, optional
        Chains that run at once; by default as many as the machine has processors.
    progress : bool
        Say on standard error what is being done; on a terminal, with the draws done so far.
    target_accept : float
        NUTS's target acceptance rate.
    extend : int
        Where the chains have not mixed, sample once more, with twice the warm-up and this many
        times the draws, of which every so-manyth is kept; 1 for never. Not for a single chain, nor
        where all draws are fewer than the effective ones that the checks ask for, 400.

    Returns
    -------
    Fit
        Draws, card, study and checks; see `Fit.failed`.

    Raises
    ------
    CardError
        If the card has a defect.
    FitError
        If the study has no row that the card can use, or sampling broke down.
    """
    for name, value in (
        ("draws", draws),
        ("tune", tune),
        ("chains", chains),
        ("extend", extend),
    ):
        if value < 1:
            raise FitError(f"{name} = {value}: must be at least 1")
    read = load_card(default_card(study) if card is None else card)
    rows = make_rows(study, read)
    padded = pad(rows, read)
    _say(
        progress,
        f"fitting {rows.loss.size} losses of {len(rows.labels.run)} runs, card {read.name}",
    )
    if not is_compiled(padded, read):
        _say(
            progress,
            "compiling the sampler (once for a card on this machine; half a minute, longer at "
            "first) ...",
        )
    sampler = started(compiled_sampler(padded, read), seed)
    cores = min(chains, cores or os.cpu_count() or 1)

    def _once(tune: int, thin: int) -> Fit:
        _say(
            progress,
            f"sampling {chains} chains of {tune} + {thin * draws} draws on {cores} cores ...",
        )
        with live_progress() if progress else nullcontext() as callback:
            trace = _sample(
                sampler, seed, thin * draws, tune, chains, cores, target_accept, callback
            )
        posterior, stats = _tidy(trace, rows)
        # The record stays whole: energies of draws apart would look better than they are.
        posterior = add_symbols(posterior.thin(draw=thin), rows, read)
        return Fit(read, study, rows, posterior, stats, seed)

    made = _once(tune, 1)
    # So few draws that they could not pass are meant for something else.
    enough = min(extend, chains) > 1 and chains * draws >= SMALLEST_ESS
    if enough and _MIXING.intersection(made.failed_checks):
        _say(progress, f"the chains have not mixed ({', '.join(made.failed_checks)}); once more:")
        made = _once(2 * tune, extend)
    if not read.run_effects:
        return made
    effects = add_discrepancy(Draws(made.posterior, read, study, rows), seed)
    return made.with_effects(effects)


def _sample(
    sampler: Any,
    seed: int,
    draws: int,
    tune: int,
    chains: int,
    cores: int,
    accept: float,
    callback: Callback | None,
) -> Any:
    import nutpie

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return nutpie.sample(
                sampler,
                seed=seed,
                draws=draws,
                tune=tune,
                chains=chains,
                cores=cores,
                target_accept=accept,
                adaptation=ADAPTATION,
                maxdepth=MAX_DEPTH,
                progress_bar=False,
                progress_callback=callback,
                save_warmup=False,
            )
        except (RuntimeError, ValueError) as error:
            raise FitError(
                f"sampling broke down: {error}. Look at the priors beside the data: "
                "build_model(study, card) gives the PyMC model"
            ) from error


def _tidy(trace: Any, rows: Rows) -> tuple[xr.Dataset, xr.Dataset]:
    """Posterior under the study's own labels, and the sampler's record under ArviZ's names."""
    posterior = trace["posterior"].to_dataset()
    for dim, names in rows.labels.coords().items():
        if dim in posterior.dims:
            posterior = posterior.isel({dim: slice(len(names))}).assign_coords({dim: list(names)})
    stats = trace["sample_stats"].to_dataset()
    # nutpie's name; ArviZ looks for the other one.
    stats = stats.rename({"maxdepth_reached": "reached_max_treedepth"})
    kept = ("diverging", "energy", "reached_max_treedepth", "n_steps", "depth", "step_size", "logp")
    return posterior, stats[[name for name in kept if name in stats]]


def _say(progress: bool, text: str) -> None:
    if progress:
        sys.stderr.write(f"bayescpt: {text}\n")
