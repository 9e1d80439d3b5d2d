"""Check that the law describes the curves: a posterior predictive check by run and domain."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from bayescpt.inference.checks import MISFIT, Check, make_check
from bayescpt.inference.residuals import Residuals

# Misfit of the law makes noise of curves that are smooth: up to this many times their jitter, the
# effects of runs account for it (by 7 on the shipped studies, where it is a twenty-fifth of what
# the losses move by; by 4 in simulated studies with effects of runs).
JITTERS = 5.0
# Standard deviations of a replicated run beyond which a run is not one of the model's.
SURPRISING = 4.0
# Runs that are named.
NAMED = 3
WHERE = {"start": "at its start", "stable": "on its plateau", "decay": "in its decay"}


def misfit_check(found: Residuals, unit: str = "nats", gaps: list[str] | None = None) -> Check:
    """Check the sizes of residuals against what the losses move by.

    Two findings count. On a domain, the noise may be far above the jitter of the curves: what the
    law leaves out is then taken for noise. A run may be off in a part of its schedule, by more than
    the noise and the effects of runs can be. Both are given as a share of what the losses of the
    domain move by, since every law is off by a few thousandths of a nat. Only the first can fail:
    the law may describe all runs but one.

    Parameters
    ----------
    found : Residuals
        Output of `bayescpt.inference.residuals.residuals`.
    unit : str
        Unit of the losses.
    gaps : list of str, optional
        What the card has no term for, from `bayescpt.inference.card_check.card_gaps`.

    Returns
    -------
    Check
    """
    noise, runs = noise_share(found.noise), run_share(found.patterns)
    # A single run, however far off, is a warning: the law may describe all others.
    worst = max([*noise, *np.minimum(runs, 2.0 * MISFIT), 0.0])
    advice = []
    for row in found.noise[noise > MISFIT].to_dict("records"):
        times = min(row["replicated_jitter"] / max(row["jitter"], 1e-12), 999.0)
        advice.append(
            f"{row['domain']}: what the law leaves out is taken for noise of {row['sd']:.3g} "
            f"{unit}, {times:.0f} times the jitter along the curves and "
            f"{row['sd'] / row['moved']:.0%} of what they move by after the start"
        )
    share = found.patterns["mean"].abs() / found.patterns["moved"]
    off = found.patterns.assign(share=share)
    # Where the noise is inflated, no run stands out of it.
    inflated = set(found.noise.loc[noise > MISFIT, "domain"])
    off = off[(off["share"] > MISFIT) & ((runs > 0) | off["domain"].isin(inflated))]
    off = off[(off["phase"] != "start") | (runs[off.index] > 0)]
    first = off.sort_values("share", ascending=False).drop_duplicates(["run", "domain"])
    advice += [describe(row, unit) for row in first.head(NAMED).to_dict("records")]
    return make_check("misfit", worst, "; ".join([*advice, *(gaps or [])]))


def noise_share(noise: pd.DataFrame) -> np.ndarray:
    """Noise beyond `JITTERS` times the jitter, as a share of what the losses move by.

    Parameters
    ----------
    noise : DataFrame
        See `Residuals`.

    Returns
    -------
    ndarray, shape (domains,)
        0 where the curves have too few rows to tell.
    """
    excess = 1.0 - (JITTERS * noise["jitter"] / noise["replicated_jitter"]) ** 2
    share = noise["sd"] * np.sqrt(excess.clip(lower=0.0)) / noise["moved"]
    return np.asarray(share.fillna(0.0), dtype=float)


def run_share(patterns: pd.DataFrame) -> np.ndarray:
    """Mean residuals that replicated runs do not have, as shares of what the losses move by.

    Parameters
    ----------
    patterns : DataFrame
        See `Residuals`.

    Returns
    -------
    ndarray, shape (patterns,)
        0 for a residual within `SURPRISING` standard deviations.
    """
    share = patterns["mean"].abs() / patterns["moved"]
    return np.asarray(share.where(patterns["z"].abs() > SURPRISING, 0.0), dtype=float)


def describe(row: Mapping[Any, Any], unit: str = "nats") -> str:
    """Describe the residual of a run in plain words.

    Parameters
    ----------
    row : Mapping
        Row of `Residuals.patterns`.
    unit : str
        Unit of the losses.

    Returns
    -------
    str

    Examples
    --------
    >>> describe({"run": "r25", "domain": "german", "phase": "decay", "mean": -0.02})
    'r25 is 0.02 nats below the law on german in its decay'
    """
    mean = float(row["mean"])
    side = "above" if mean > 0 else "below"
    where = WHERE[str(row["phase"])]
    return f"{row['run']} is {abs(mean):.2g} {unit} {side} the law on {row['domain']} {where}"
