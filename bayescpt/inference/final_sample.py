"""Sample laws of final losses: one compiled sampler per structure, as for curves."""

from __future__ import annotations

import os
import sys
import warnings
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import xarray as xr

from bayescpt.data import Study
from bayescpt.errors import FitError
from bayescpt.inference.checks import SMALLEST_ESS
from bayescpt.inference.final_fit import FinalFit, add_final_symbols
from bayescpt.inference.progress import live_progress
from bayescpt.inference.start import Centred, started
from bayescpt.inference.stored import (
    pack_sampler,
    read_sampler,
    sampler_file,
    unpack_sampler,
    write_sampler,
)
from bayescpt.model.final_card import FinalCard, default_final_card, load_final_card
from bayescpt.model.final_rows import FinalRows, make_final_rows
from bayescpt.text import printable

# Samplers of this process, by structure.
_COMPILED: dict[tuple[Any, ...], Any] = {}
# Few rows leave curved ridges; a gradient takes microseconds, so that small steps cost little.
TARGET_ACCEPT = 0.97
CAREFUL_ACCEPT = 0.995
MAX_DEPTH = 10


def fit_final(
    study: Study,
    card: str | Path | FinalCard | None,
    random_seed: int,
    draws: int,
    tune: int,
    chains: int,
    cores: int | None,
    progress: bool,
    extend: int,
) -> FinalFit:
    """Sample the posterior of a law of final losses; see `bayescpt.inference.sample.fit`.

    Parameters
    ----------
    study : Study
        A study of final losses.
    card : str, Path, FinalCard or None
        Card; by default chosen for the study.
    random_seed : int
        Seed of the sampler.
    draws, tune, chains : int
        Sizes of the sample.
    cores : int or None
        Chains run in parallel.
    progress : bool
        Report progress on standard error.
    extend : int
        Thinning of a second, longer run if the chains have not mixed; 1 disables it.

    Returns
    -------
    FinalFit

    Raises
    ------
    CardError
        If the card is not one of a law of final losses.
    FitError
        If the study cannot be fitted, or sampling failed.
    """
    used = load_final_card(default_final_card(study) if card is None else card)
    rows = make_final_rows(study, used)
    _say(
        progress,
        f"fitting {rows.loss.size} final losses of {len(rows.labels.run)} runs, card {used.name}",
    )
    sampler = started(_sampler(rows, used, progress), random_seed)
    threads = min(chains, cores or os.cpu_count() or 1)
    options = {"seed": random_seed, "chains": chains, "cores": threads}

    def _once(tune: int, thin: int, accept: float) -> FinalFit:
        _say(progress, f"sampling {chains} chains of {tune} + {thin * draws} draws ...")
        with live_progress() if progress else nullcontext() as callback:
            trace = _sample(
                sampler, draws=thin * draws, tune=tune, target_accept=accept,
                progress_callback=callback, **options,
            )  # fmt: skip
        posterior, stats = _tidy(trace, rows)
        kept = add_final_symbols(posterior.isel(draw=slice(None, None, thin)), rows, used)
        return FinalFit(used, study, rows, kept, stats, random_seed)

    result = _once(tune, 1, TARGET_ACCEPT)
    unmixed = any(check.status == "fail" for check in result.mixing)
    unmixed |= bool(result.sample_stats["diverging"].any())
    if unmixed and min(extend, chains) > 1 and chains * draws >= SMALLEST_ESS:
        _say(progress, "the chains have not mixed or diverged; sampling once more:")
        result = _once(2 * tune, extend, CAREFUL_ACCEPT)
    return result


def _sampler(rows: FinalRows, card: FinalCard, progress: bool) -> Any:
    """Sampler with the data of a study, compiled only if its structure is new."""
    from bayescpt.model.final_build import final_data

    key = _structure(rows, card)
    if key not in _COMPILED:
        file = sampler_file(key)
        stored = None if file is None or not file.is_file() else read_sampler(file)
        if stored is None:
            _say(progress, "compiling the sampler (once per card and machine) ...")
            stored = _compile(rows, card, file)
        _COMPILED[key] = stored
    sampler = _COMPILED[key]
    used = {variable.name for variable in sampler.shared_var_keys}
    data = {name: value for name, value in final_data(rows).items() if name in used}
    return sampler.with_data(**data)


def _structure(rows: FinalRows, card: FinalCard) -> tuple[Any, ...]:
    """What the code of a sampler depends on, but for sources, versions and machine."""
    priors = tuple((n, p.dist, tuple(sorted(p.args.items()))) for n, p in card.priors.items())
    effects = card.base_effect and rows.has_bases
    bases = len(rows.labels.base) if effects else 0
    sizes = (len(rows.labels.set), len(rows.labels.source), bases)
    return ("final", card.law_name, card.lr, effects, priors, sizes)


def _compile(rows: FinalRows, card: FinalCard, file: Path | None) -> Any:
    from dataclasses import replace

    import nutpie

    from bayescpt.model.final_build import final_model

    model = final_model(rows, card)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # numba's, about functions of nutpie
        names = [variable.name for variable in model.free_RVs]
        sampler = nutpie.compile_pymc_model(model, var_names=names, jitter_rvs=set())
    sampler = replace(sampler, initial_point_func=Centred(sampler.initial_point_func(0)))
    packed = pack_sampler(sampler)
    unpacked = None if packed is None else unpack_sampler(packed)
    if packed is None or unpacked is None:
        return sampler
    if file is not None:
        write_sampler(file, packed)
    return unpacked


def _sample(sampler: Any, **options: Any) -> Any:
    import nutpie

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return nutpie.sample(
                sampler,
                maxdepth=MAX_DEPTH,
                adaptation="low_rank",
                progress_bar=False,
                save_warmup=False,
                **options,
            )
        except (RuntimeError, ValueError) as error:
            raise FitError(
                f"sampling failed: {error}. Compare the priors with the data: fit.model of another "
                "card, or bayescpt.model.final_build.final_model, is the PyMC model"
            ) from error


def _tidy(trace: Any, rows: FinalRows) -> tuple[xr.Dataset, xr.Dataset]:
    """Posterior with the study's labels, and sampler statistics with ArviZ's names."""
    posterior = trace["posterior"].to_dataset()
    for dim, names in rows.labels.coords().items():
        if dim in posterior.dims:
            posterior = posterior.assign_coords({dim: names})
    stats = trace["sample_stats"].to_dataset().rename({"maxdepth_reached": "reached_max_treedepth"})
    kept = ("diverging", "energy", "reached_max_treedepth", "n_steps", "depth", "step_size", "logp")
    return posterior, stats[[name for name in kept if name in stats]]


def _say(progress: bool, text: str) -> None:
    if progress:
        sys.stderr.write(f"bayescpt: {printable(text)}\n")
