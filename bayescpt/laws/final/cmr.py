"""Critical mixture ratios: the law of Gu et al. in tokens, and its published fits."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bayescpt.errors import PlanError

# Tokens of one unit of T.
UNIT = 200e6


class CmrFit(NamedTuple):
    """Published fit of the critical mixture ratio.

    Attributes
    ----------
    a, s, b : float
        Of ``a T^s + b``, T in units of 200M tokens.
    """

    a: float
    s: float
    b: float


# By number of parameters, from arXiv 2407.17467: the general loss may rise by .05 nats.
PUBLISHED_CMR = {
    460e6: CmrFit(0.22524761, 0.26944345, -0.48139982),
    940e6: CmrFit(0.7520627, 0.13720245, -1.06581937),
    1.6e9: CmrFit(-2.36384831, -0.15125569, 1.59223649),
    3.1e9: CmrFit(-2.5368197, -0.42071423, 0.84375368),
}


def cmr_law(tokens: ArrayLike, fit: CmrFit) -> NDArray[np.float64]:
    """Critical mixture ratio after some tokens, arXiv 2407.17467.

    Parameters
    ----------
    tokens : array_like
        Tokens of continual pre-training.
    fit : CmrFit
        Parameters of ``a T^s + b``, such as one of `PUBLISHED_CMR`.

    Returns
    -------
    ndarray
        Largest share of target data at which the general loss rises by no more than was allowed,
        0 to 1.

    Raises
    ------
    PlanError
        If tokens are not above 0.

    Examples
    --------
    >>> [round(100 * float(cmr_law(20e9, one)), 1) for one in PUBLISHED_CMR.values()]
    [29.8, 34.9, 41.4, 47.8]
    """
    amount = np.asarray(tokens, dtype=float)
    if not (amount > 0).all():
        raise PlanError(f"tokens = {tokens!r}: give a number of tokens above 0")
    return np.clip(fit.a * (amount / UNIT) ** fit.s + fit.b, 0.0, 1.0)
