"""Noise of the rows around the expected loss, as an observed PyMC variable."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt

if TYPE_CHECKING:
    from bayescpt.model.card import Card


def group(data: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """Data containers whose names start with a prefix, without it.

    Parameters
    ----------
    data : Mapping
        All containers.
    prefix : str
        ``row``, ``segment`` or ``start``.

    Returns
    -------
    dict
    """
    start = f"{prefix}_"
    return {key.removeprefix(start): v for key, v in data.items() if key.startswith(start)}


def observe(mean: Any, values: Mapping[str, Any], data: Mapping[str, Any], card: Card) -> Any:
    """Observed variable ``loss``.

    Standardised residuals z = (loss - mean) / sigma follow, along a run, an AR(1) in step time
    (correlation exp(-gap / corr_fraction)), and at one step a correlation ``domain_corr`` of every
    other domain with the first; each part only where the card has it.

    Parameters
    ----------
    mean : TensorVariable, shape (obs,)
        Expected loss.
    values : Mapping
        Parameters of the noise.
    data : Mapping
        Row arrays.
    card : Card
        Which parts.

    Returns
    -------
    TensorVariable, shape (obs,)
    """
    rows = group(data, "row")
    sigma = row_sigma(values, data, card)
    if not (card.ar1 or card.domain_correlation):
        if card.family == "student_t":
            return pm.StudentT(
                "loss", nu=values["nu"], mu=mean, sigma=sigma, observed=data["observed"], dims="obs"
            )
        return pm.Normal("loss", mean, sigma, observed=data["observed"], dims="obs")
    domain = rows["domain"]
    along = across = pt.zeros_like(mean)
    if card.ar1:
        along = pt.exp(-rows["gap"] / values["corr_fraction"][domain])
    if card.domain_correlation:
        # The first domain has no correlation with itself; a leading 0 stands for it.
        rho = pt.concatenate([pt.zeros(1), values["domain_corr"]])
        across = rho[domain] * rows["paired"]
    tail = [values["nu"]] if card.family == "student_t" else []
    return pm.CustomDist(
        "loss",
        mean,
        sigma,
        along,
        across,
        rows["previous"],
        rows["partner"],
        *tail,
        logp=_chained_logp,
        random=_chained_random,
        signature="(n),(n),(n),(n),(n),(n)" + (",()" if tail else "") + "->(n)",
        observed=data["observed"],
        dims="obs",
    )


def row_sigma(values: Mapping[str, Any], data: Mapping[str, Any], card: Card) -> Any:
    """Noise scale of every row, nats.

    Parameters
    ----------
    values : Mapping
        sigma and, where the card has them, sigma_pt, early, early_width.
    data : Mapping
        Row arrays.
    card : Card
        Which parts.

    Returns
    -------
    TensorVariable, shape (obs,)
    """
    rows = group(data, "row")
    is_cpt = data["segment_is_cpt"][rows["segment"]] if card.has_shift else 0.0
    sigma, early, width = _scale_parts(values, rows["domain"], is_cpt, card)
    return sigma if early is None else sigma * (1.0 + early * pt.exp(-rows["fraction"] / width))


def segment_scale(
    values: Mapping[str, Any], segment: Mapping[str, Any], card: Card
) -> tuple[Any, Any, Any]:
    """Parts of the noise scale sigma (1 + early exp(-fraction / width)) by segment.

    Parameters
    ----------
    values : Mapping
        As for `row_sigma`.
    segment : Mapping
        Segment arrays.
    card : Card
        Which parts.

    Returns
    -------
    sigma, early, width : TensorVariable, shape (segment,)
        `early` is 0 where there is no inflation.
    """
    sigma, early, width = _scale_parts(values, segment["domain"], segment["is_cpt"], card)
    if early is None:
        return sigma, pt.zeros_like(sigma), pt.ones_like(sigma)
    return sigma, early, width


def _scale_parts(
    values: Mapping[str, Any], domain: Any, is_cpt: Any, card: Card
) -> tuple[Any, Any, Any]:
    """Late scale, early inflation and its width, by row or by segment; None without inflation."""
    sigma = values["sigma"][domain]
    if "sigma_pt" in values:
        sigma = pt.where(is_cpt > 0, sigma, values["sigma_pt"][domain])
    if not card.early:
        return sigma, None, None
    early = values["early"][domain]
    return sigma, early * is_cpt if card.has_shift else early, values["early_width"][domain]


def _chained_logp(
    value: Any,
    mean: Any,
    sigma: Any,
    along: Any,
    across: Any,
    previous: Any,
    partner: Any,
    *nu: Any,
) -> Any:
    z = (value - mean) / sigma
    fresh = z - along * z[previous]
    scale = pt.sqrt(1.0 - along**2)
    innovation = fresh / scale
    rest = pt.sqrt(1.0 - across**2)
    unit = (innovation - across * innovation[partner]) / rest
    if nu:
        density = pm.logp(pm.StudentT.dist(nu=nu[0], mu=0.0, sigma=1.0), unit)
    else:
        density = -0.5 * unit**2 - 0.5 * np.log(2.0 * np.pi)
    return density - pt.log(sigma * scale * rest)


def _chained_random(
    mean: Any,
    sigma: Any,
    along: Any,
    across: Any,
    previous: Any,
    partner: Any,
    *nu: Any,
    rng: np.random.Generator | None = None,
    size: Any = None,
) -> Any:
    rng = np.random.default_rng(rng)
    shape = np.broadcast_shapes(mean.shape, tuple(size or ()) + mean.shape[-1:])
    unit = rng.standard_t(nu[0], shape) if nu else rng.standard_normal(shape)
    before = np.asarray(previous, dtype=np.int64).reshape(-1, shape[-1])[0]
    beside = np.asarray(partner, dtype=np.int64).reshape(-1, shape[-1])[0]
    innovation = across * unit[..., beside] + np.sqrt(1.0 - across**2) * unit
    z = innovation.copy()
    for n in range(shape[-1]):
        if before[n] != n:
            a = along[..., n]
            z[..., n] = a * z[..., before[n]] + np.sqrt(1.0 - a**2) * innovation[..., n]
    return mean + sigma * z
