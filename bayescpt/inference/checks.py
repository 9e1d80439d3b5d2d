"""Convergence checks of a fit, against fixed limits."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from bayescpt.errors import FitError
from bayescpt.inference.advice import pilot_advice
from bayescpt.laws.pilots import Pilots
from bayescpt.model.card import Card

CONTRACTION = 0.9
SMALLEST_ESS = 400.0
# Share of what the losses move by that a law may leave unexplained; more than twice this fails. The
# shipped studies under their default cards have .03 to .21, cpt_micro without a replay term .84.
MISFIT = 0.3
# Ratio of posterior to prior spread above which the two are in conflict.
CONFLICT = 1.3


class _Rule(NamedTuple):
    limit: float
    at_most: bool
    bad: str


_RULES = {
    "R-hat": _Rule(1.01, True, "fail"),
    "bulk ESS": _Rule(SMALLEST_ESS, False, "fail"),
    "tail ESS": _Rule(SMALLEST_ESS, False, "fail"),
    "divergences": _Rule(0.005, True, "fail"),
    "tree depth": _Rule(0.05, True, "warn"),
    "E-BFMI": _Rule(0.3, False, "warn"),
    "contraction": _Rule(CONTRACTION, True, "warn"),
    "misfit": _Rule(MISFIT, True, "warn"),
}
# Those of `convergence_checks`.
_CONVERGENCE = tuple(name for name in _RULES if name != "misfit")


@dataclass(frozen=True)
class Check:
    """Result of one check of a fit.

    Attributes
    ----------
    name : str
        Name of the diagnostic.
    status : str
        ``ok``, ``warn`` or ``fail``.
    value : float
        Worst value.
    limit : float
        Limit that `value` is compared with.
    advice : str
        What to do about it; empty if ``ok``.
    """

    name: str
    status: str
    value: float
    limit: float
    advice: str

    def to_dict(self) -> dict[str, Any]:
        """Check as plain values.

        Returns
        -------
        dict
        """
        return asdict(self)


def convergence_checks(
    posterior: xr.Dataset, sample_stats: xr.Dataset, card: Card, pilots: Pilots | None = None
) -> list[Check]:
    """Check that the chains mixed and that the data inform the parameters.

    Parameters
    ----------
    posterior : xr.Dataset
        Sampled parameters, dims chain and draw first.
    sample_stats : xr.Dataset
        Sampler statistics: diverging, energy, reached_max_treedepth.
    card : Card
        Card with the priors.
    pilots : Pilots, optional
        Fitted runs, for advice on the runs to add.

    Returns
    -------
    list of Check
    """
    from arviz_stats import bfmi, ess, rhat

    # For a parameter that never moved these are 0 / 0: NaN, which fails below.
    with np.errstate(invalid="ignore", divide="ignore"):
        worst_rhat, at_rhat = _worst(rhat(posterior), largest=True)
        bulk, at_bulk = _worst(ess(posterior, method="bulk"), largest=False)
        tail, at_tail = _worst(ess(posterior, method="tail"), largest=False)
    divergent = float(sample_stats["diverging"].mean())
    deep = float(sample_stats["reached_max_treedepth"].mean())
    energy = _array(bfmi(sample_stats))
    more = "sample longer (tune=4000, draws=4000), or tighten its prior"
    return [
        make_check("R-hat", worst_rhat, f"{at_rhat}: the chains have not mixed; {more}"),
        make_check("bulk ESS", bulk, f"{at_bulk}: too few effective draws; {more}"),
        make_check("tail ESS", tail, f"{at_tail}: its tail quantiles are noisy; {more}"),
        make_check(
            "divergences",
            divergent,
            "the sampler diverged; raise target_accept or tighten priors",
        ),
        make_check(
            "tree depth",
            deep,
            "trees reached the maximum depth: the posterior has a ridge; see the contraction check",
        ),
        make_check(
            "E-BFMI",
            float(energy.min()),
            "the energy mixes poorly: look for heavy tails or a funnel in the priors",
        ),
        _contraction(posterior, card, pilots),
    ]


def read_checks(stored: Any) -> list[Check]:
    """Read the checks of a fit file and verify them against the limits.

    Parameters
    ----------
    stored : list of Mapping
        Output of `Check.to_dict`.

    Returns
    -------
    list of Check

    Raises
    ------
    FitError
        If they are not the checks of a fit (a file of an earlier version may lack the last, the
        misfit), or a status contradicts its value.
    """
    try:
        checks = [Check(**values) for values in stored]
        names = [check.name for check in checks]
        expected = [_status(check.name, check.value) for check in checks]
    except (TypeError, KeyError) as error:
        raise FitError(f"its stored checks cannot be read: {error!r}") from error
    if names not in (list(_RULES), list(_CONVERGENCE)):
        raise FitError(f"its stored checks are {names}; expected {list(_RULES)}")
    for check, status in zip(checks, expected, strict=True):
        limit = _RULES[check.name].limit
        if (check.status, check.limit) != (status, limit) or not isinstance(check.advice, str):
            raise FitError(
                f"its stored check {check.name!r} has status {check.status!r} at limit "
                f"{check.limit!r}, but its value {check.value!r} gives {status!r} at {limit!r}"
            )
    return checks


def _contraction(posterior: xr.Dataset, card: Card, pilots: Pilots | None) -> Check:
    """Check how far the data narrow each parameter relative to its prior."""
    ranked = contractions(posterior, card)
    loose, conflicting = loose_parameters(ranked), [n for value, n in ranked if value > CONFLICT]
    advice = []
    if loose:
        advice.append(
            f"the data say little about {', '.join(loose[:6])}: their priors drive the forecast"
        )
        advice += [one.sentence for one in pilot_advice(loose, card, pilots)]
    if conflicting:
        advice.append(
            f"{', '.join(conflicting[:6])}: wider than the prior, so data and prior conflict; "
            "review the prior"
        )
    worst = ranked[0][0] if ranked else 0.0
    return make_check("contraction", worst, "; ".join(advice))


def contractions(posterior: xr.Dataset, card: Card) -> list[tuple[float, str]]:
    """Spread of each parameter's posterior over that of its prior, the largest first.

    Parameters
    ----------
    posterior : xr.Dataset
        Sampled parameters, dims chain and draw first.
    card : Card
        Card with the priors.

    Returns
    -------
    list of (float, str)
        Ratio of the interquartile ranges, and the parameter, such as ``beta[general|german]``.
    """
    ratios: list[tuple[float, str]] = []
    for name, prior in card.priors.items():
        if name not in posterior:
            continue
        # Quartiles, since a prior may have infinite variance.
        low, high = prior.frozen().ppf([0.25, 0.75])
        spread = posterior[name].quantile([0.25, 0.75], dim=("chain", "draw"))
        ratio = (spread.isel(quantile=1) - spread.isel(quantile=0)) / (high - low)
        ratios += [
            (value, f"{name}[{label}]" if label else name)
            for value, label in _entries(ratio)
            if card.uses(name, label)
        ]
    return sorted(ratios, reverse=True)


def loose_parameters(ranked: list[tuple[float, str]]) -> list[str]:
    """Parameters that the priors determine.

    Parameters
    ----------
    ranked : list of (float, str)
        Output of `contractions`.

    Returns
    -------
    list of str
    """
    return [name for value, name in ranked if CONTRACTION < value <= CONFLICT]


def make_check(name: str, value: float, advice: str) -> Check:
    """Check of a value against the limit of its name.

    Parameters
    ----------
    name : str
        Name of the check.
    value : float
        Worst value.
    advice : str
        What to do if it is bad.

    Returns
    -------
    Check

    Examples
    --------
    >>> make_check("E-BFMI", 0.9, "the energy mixes poorly").status
    'ok'
    """
    status = _status(name, value)
    return Check(name, status, float(value), _RULES[name].limit, "" if status == "ok" else advice)


def _status(name: str, value: float) -> str:
    """Status of a value; NaN is bad."""
    rule = _RULES[name]
    good = value <= rule.limit if rule.at_most else value >= rule.limit
    if name == "divergences" and good and value > 0:
        return "warn"
    if name == "misfit" and not value <= 2.0 * rule.limit:
        return "fail"
    return "ok" if good else rule.bad


def _array(value: Any) -> np.ndarray:
    if isinstance(value, xr.Dataset):
        value = next(iter(value.data_vars.values()))
    return np.asarray(value, dtype=float)


def _entries(values: xr.DataArray) -> list[tuple[float, str]]:
    """Values of an array and their labels, those of several dims joined by commas."""
    labels = product(*(values[dim].to_numpy() for dim in values.dims))
    return [
        (float(value), ", ".join(map(str, label)))
        for value, label in zip(values.to_numpy().ravel(), labels, strict=True)
    ]


def _worst(stat: xr.Dataset, largest: bool) -> tuple[float, str]:
    """Worst value over all parameters, and the parameter that has it."""
    labelled: list[tuple[float, str]] = []
    for name, values in stat.data_vars.items():
        labelled += [
            (value, f"{name}[{label}]" if label else str(name)) for value, label in _entries(values)
        ]
    # NaN (a chain that never moved) counts as the worst.
    for value, label in labelled:
        if np.isnan(value):
            return value, label
    return max(labelled) if largest else min(labelled)
