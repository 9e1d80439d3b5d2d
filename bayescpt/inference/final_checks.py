"""Checks of a fit of final losses, against the limits that fits of curves have."""

from __future__ import annotations

import numpy as np
import xarray as xr

from bayescpt.forecast.final_plans import FinalDraws
from bayescpt.inference.checks import (
    CONFLICT,
    Check,
    contractions,
    convergence_checks,
    loose_parameters,
    make_check,
)
from bayescpt.model.final_card import FinalCard
from bayescpt.model.final_rows import FinalRows

# Fewer losses of a set than this say nothing on misfit: the law passes through them.
FEWEST = 3


def final_checks(
    posterior: xr.Dataset, stats: xr.Dataset, card: FinalCard, rows: FinalRows
) -> list[Check]:
    """Check that the chains mixed and that the data inform the parameters.

    Parameters
    ----------
    posterior : xr.Dataset
        Sampled parameters.
    stats : xr.Dataset
        Sampler statistics.
    card : FinalCard
        The card.
    rows : FinalRows
        Arrays of the study.

    Returns
    -------
    list of Check
        R-hat, bulk and tail ESS, divergences, tree depth, E-BFMI, contraction. The last is about
        the responses as a whole, not each exponent: of a response that the runs do vary, at least
        one parameter must be told by them.
    """
    *mixing, _ = convergence_checks(posterior, stats, card)  # type: ignore[arg-type]
    return [*mixing, _contraction(posterior, card, rows)]


def _contraction(posterior: xr.Dataset, card: FinalCard, rows: FinalRows) -> Check:
    names = [p.name for p in card.law.parameters if card.law.informed(p.name, rows.varying)]
    ranked = contractions(posterior[[n for n in names if n in posterior]], card)  # type: ignore[arg-type]
    # A power law by few runs is told in one of its parameters only: its size, say. The priors of
    # the others matter beyond the runs, which intervals and warnings show.
    best: dict[tuple[tuple[str, ...], str], tuple[float, str]] = {}
    for value, label in ranked:
        name, _, entry = label.partition("[")
        # Of a set, whichever source of the mixture.
        key = (card.law.covariates(name), entry.rstrip("]").partition(", ")[0])
        best[key] = min(best.get(key, (np.inf, "")), (value, label))
    loose = loose_parameters(sorted(best.values(), reverse=True))
    conflicting = [label for value, label in ranked if value > CONFLICT]
    advice = []
    if loose:
        advice.append(
            f"the data say little about {', '.join(loose[:6])}: their priors drive the forecast; "
            "add runs that differ more"
        )
    if conflicting:
        advice.append(
            f"{', '.join(conflicting[:6])}: wider than the prior, so data and prior conflict; "
            "review the prior"
        )
    worst = max(
        [value for value, _ in best.values()] + [v for v, _ in ranked if v > CONFLICT] + [0.0]
    )
    return make_check("contraction", worst, "; ".join(advice))


def final_misfit(draws: FinalDraws) -> Check:
    """Check that the law describes the final losses.

    Parameters
    ----------
    draws : FinalDraws
        Posterior with its study.

    Returns
    -------
    Check
        The largest share, over sets, of the spread of the losses that the noise stands for.
    """
    rows, worst, advice = draws.rows, 0.0, []
    for k, name in enumerate(rows.labels.set):
        losses = rows.loss[rows.set_index == k]
        spread = float(np.std(losses))
        if losses.size < FEWEST or spread == 0.0:
            continue
        noise = float(np.median(draws.values["sigma"][:, k]))
        share = noise / spread
        worst = max(worst, share)
        advice.append(
            f"{name}: the law leaves {noise:.3g} nats unexplained, {share:.0%} of the spread of "
            "its final losses"
        )
    return make_check("misfit", worst, "; ".join(advice))
