"""Convergence checks of a fit: fixed limits, findings as data."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import xarray as xr

from bayescpt.model.card import Card

R_HAT = 1.01
ESS = 400.0
DIVERGENT_SHARE = 0.005
TREE_DEPTH_SHARE = 0.05
E_BFMI = 0.3
CONTRACTION = 0.9
# Spread of the posterior over the prior's from which on the two disagree.
CONFLICT = 1.3


@dataclass(frozen=True)
class Check:
    """One finding.

    Attributes
    ----------
    name : str
        What was checked.
    status : str
        ``ok``, ``warn`` or ``fail``.
    value : float
        Worst value found.
    limit : float
        The limit it is held to.
    advice : str
        What to do about it; empty if ok.
    """

    name: str
    status: str
    value: float
    limit: float
    advice: str

    def to_dict(self) -> dict[str, Any]:
        """Finding as plain values.

        Returns
        -------
        dict
        """
        return asdict(self)


def convergence_checks(posterior: xr.Dataset, sample_stats: xr.Dataset, card: Card) -> list[Check]:
    """Check that chains mixed and that the data said something.

    Parameters
    ----------
    posterior : xr.Dataset
        Sampled parameters, dims chain and draw first.
    sample_stats : xr.Dataset
        The sampler's record: diverging, energy, reached_max_treedepth.
    card : Card
        Holds the priors.

    Returns
    -------
    list of Check
    """
    from arviz_stats import bfmi, ess, rhat

    # A parameter that never moved divides 0 by 0: NaN, which fails below.
    with np.errstate(invalid="ignore", divide="ignore"):
        worst_rhat, at_rhat = _worst(rhat(posterior), largest=True)
        bulk, at_bulk = _worst(ess(posterior, method="bulk"), largest=False)
        tail, at_tail = _worst(ess(posterior, method="tail"), largest=False)
    divergent = float(sample_stats["diverging"].mean())
    deep = float(sample_stats["reached_max_treedepth"].mean())
    energy = _array(bfmi(sample_stats))
    more = "sample longer (tune=2000, draws=2000), or tighten the prior of it"
    return [
        _check(
            "R-hat", worst_rhat, R_HAT, worst_rhat <= R_HAT, f"{at_rhat}: chains disagree; {more}"
        ),
        _check("bulk ESS", bulk, ESS, bulk >= ESS, f"{at_bulk}: too few effective draws; {more}"),
        _check("tail ESS", tail, ESS, tail >= ESS, f"{at_tail}: its bands are noisy; {more}"),
        _check(
            "divergences",
            divergent,
            DIVERGENT_SHARE,
            divergent <= DIVERGENT_SHARE,
            "the sampler could not follow the posterior; raise target_accept or tighten priors",
            near=divergent == 0,
        ),
        _check(
            "tree depth",
            deep,
            TREE_DEPTH_SHARE,
            deep <= TREE_DEPTH_SHARE,
            "trajectories were cut short: the posterior has a ridge; see the contraction check",
            bad="warn",
        ),
        _check(
            "E-BFMI",
            float(energy.min()),
            E_BFMI,
            float(energy.min()) >= E_BFMI,
            "the energies mix badly: a heavy tail or a funnel in the priors",
            bad="warn",
        ),
        _contraction(posterior, card),
    ]


def _contraction(posterior: xr.Dataset, card: Card) -> Check:
    """Parameters that the data left where the prior had them."""
    found: list[tuple[float, str]] = []
    for name, prior in card.priors.items():
        if name not in posterior:
            continue
        rest = [dim for dim in posterior[name].dims if dim not in ("chain", "draw")]
        # A prior of infinite variance has no ratio; the quartiles always have one.
        low, high = prior.frozen().ppf([0.25, 0.75])
        spread = posterior[name].quantile([0.25, 0.75], dim=("chain", "draw"))
        ratio = (spread.isel(quantile=1) - spread.isel(quantile=0)) / (high - low)
        values = np.atleast_1d(ratio.to_numpy())
        labels = posterior[rest[0]].to_numpy() if rest else [""]
        found += [
            (float(v), f"{name}[{label}]" if rest else name)
            for v, label in zip(values, labels, strict=True)
            if card.uses(name, str(label))
        ]
    ranked = sorted(found, reverse=True)
    pulled = [name for value, name in ranked if value > CONFLICT]
    loose = [name for value, name in ranked if CONTRACTION < value <= CONFLICT]
    advice = []
    if loose:
        advice.append(
            f"the data say little about {', '.join(loose[:6])}: their priors carry the forecast"
        )
    if pulled:
        advice.append(
            f"{', '.join(pulled[:6])}: wider than the prior, so data and prior pull apart; look at "
            "the prior"
        )
    worst = ranked[0][0] if ranked else 0.0
    return _check("contraction", worst, CONTRACTION, not advice, "; ".join(advice), bad="warn")


def _check(
    name: str,
    value: float,
    limit: float,
    good: bool,
    advice: str,
    bad: str = "fail",
    near: bool = True,
) -> Check:
    """Finding; `near` false makes a good one a warning. A value that is not a number fails."""
    status = ("ok" if near else "warn") if good else bad
    return Check(name, status, value, limit, "" if status == "ok" else advice)


def _array(value: Any) -> np.ndarray:
    if isinstance(value, xr.Dataset):
        value = next(iter(value.data_vars.values()))
    return np.asarray(value, dtype=float)


def _worst(stat: xr.Dataset, largest: bool) -> tuple[float, str]:
    """Worst value over all parameters and where it is."""
    found: list[tuple[float, str]] = []
    for name, values in stat.data_vars.items():
        flat = np.atleast_1d(values.to_numpy()).ravel()
        labels = values[values.dims[0]].to_numpy() if values.dims else [""]
        found += [
            (float(v), f"{name}[{label}]" if values.dims else str(name))
            for v, label in zip(flat, labels, strict=True)
        ]
    # NaN (a chain that never moved) is the worst there is.
    for value, label in found:
        if np.isnan(value):
            return value, label
    return max(found) if largest else min(found)
