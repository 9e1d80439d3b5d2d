"""Sample laws of final losses: one compiled sampler per structure, as for curves."""

from __future__ import annotations

import os
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

from bayescpt.data import Study
from bayescpt.inference.chains import fit_work, labelled, sample_chains
from bayescpt.inference.checks import SMALLEST_ESS
from bayescpt.inference.compile import is_cached, sampler_of, source_digests
from bayescpt.inference.final_fit import FinalFit, add_final_symbols
from bayescpt.inference.progress import live_progress, say
from bayescpt.inference.start import started
from bayescpt.model.final_card import FinalCard, default_final_card, load_final_card
from bayescpt.model.final_rows import FinalRows, make_final_rows

# Few rows leave curved ridges; a gradient takes microseconds, so that small steps cost little.
TARGET_ACCEPT = 0.97
CAREFUL_ACCEPT = 0.995
NUTS = {"adaptation": "low_rank", "maxdepth": 10}


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
    work: str | Path | None = None,
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
    work : str or Path, optional
        Folder in which finished chains are kept.

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
    say(
        progress,
        f"fitting {rows.loss.size} final losses of {len(rows.labels.run)} runs, card {used.name}",
    )
    sampler = started(_sampler(rows, used, progress), random_seed)
    threads = min(chains, cores or os.cpu_count() or 1)
    settings = {"draws": draws, "tune": tune, "chains": chains, "extend": extend}
    settings |= {"random_seed": random_seed}
    with nullcontext() if work is None else fit_work(work, study, used, settings) as kept:

        def _once(name: str, tune: int, thin: int, accept: float) -> FinalFit:
            say(progress, f"sampling {chains} chains of {tune} + {thin * draws} draws ...")
            options = {"draws": thin * draws, "tune": tune, "target_accept": accept, **NUTS}
            with live_progress() if progress else nullcontext() as callback:
                sampled = sample_chains(
                    *(sampler, random_seed, chains, threads, options), callback, kept, name
                )
            posterior, stats = labelled(*sampled, rows.labels.coords())
            thinned = add_final_symbols(posterior.thin(draw=thin), rows, used)
            return FinalFit(used, study, rows, thinned, stats, random_seed)

        result = _once("chain", tune, 1, TARGET_ACCEPT)
        unmixed = any(check.status == "fail" for check in result.mixing)
        unmixed |= bool(result.sample_stats["diverging"].any())
        if unmixed and min(extend, chains) > 1 and chains * draws >= SMALLEST_ESS:
            say(progress, "the chains have not mixed or diverged; sampling once more:")
            result = _once("longer-chain", 2 * tune, extend, CAREFUL_ACCEPT)
    return result


def _sampler(rows: FinalRows, card: FinalCard, progress: bool) -> Any:
    """Sampler with the data of a study, compiled only if its structure is new."""
    from bayescpt.model.final_build import final_data, final_model

    key = _structure(rows, card)
    if not is_cached(key):
        say(progress, "compiling the sampler (once per card and machine) ...")
    return sampler_of(key, partial(final_model, rows, card), final_data(rows))


def _structure(rows: FinalRows, card: FinalCard) -> tuple[Any, ...]:
    """Key of a sampler, see `bayescpt.inference.compile.sampler_of`."""
    priors = tuple((n, p.dist, tuple(sorted(p.args.items()))) for n, p in card.priors.items())
    effects = card.base_effect and rows.has_bases
    bases = len(rows.labels.base) if effects else 0
    sizes = (len(rows.labels.set), len(rows.labels.source), bases)
    own = source_digests([card.law], card.priors)
    return ("final", card.law_name, card.lr, effects, priors, sizes, own)
