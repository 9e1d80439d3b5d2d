"""Replay response: which part of the no-replay shift is left at a replay ratio."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayescpt.laws.shift import shift_growth
from bayescpt.laws.table import Parameter

SOURCE_POWER = (
    "own-share power form, after Que et al., arXiv 2406.01375 (C / (r + eps)^gamma), normalised"
)
SOURCE_EXPONENTIAL = "Wang et al., arXiv 2505.07796, Eq. 8: 1 - exp(-a r_cpt), C2 S2cpt exp(a2 r)"


def power_share(share: Any, gamma: Any, eps: Any, xp: Any = np) -> Any:
    """Loss excess of a set by its own share of the mixture: 1 at share 0, 0 at share 1.

    ``phi(s) = ((s+eps)^-gamma - (1+eps)^-gamma) / (eps^-gamma - (1+eps)^-gamma)``.

    Parameters
    ----------
    share : array
        Own share of the set in the mixture, 0..1.
    gamma : array
        Exponent, > 0.
    eps : array
        Share that a set is worth without being in the mixture, > 0.
    xp : module
        ``numpy`` (also for xarray objects) or ``pytensor.tensor``.

    Returns
    -------
    array
        Broadcast shape of the arguments.
    """
    log_all = xp.log1p(eps)
    top = xp.expm1(-gamma * (xp.log(share + eps) - log_all))
    return top / xp.expm1(-gamma * (xp.log(eps) - log_all))


def power_response(replay: Any, is_target: Any, gamma: Any, eps: Any, xp: Any = np) -> Any:
    """Part of the no-replay shift left at a replay ratio, own-share power form.

    ``phi(r)`` on the general set (its own share is r), ``1 - phi(1 - r)`` on the target (its own
    share is 1 - r). 1 without replay, 0 at replay 1, on both.

    Parameters
    ----------
    replay : array
        Replay ratio, 0..1.
    is_target : array
        1.0 where the evaluated domain is the target of the run, else 0.0.
    gamma, eps : array
        See `power_share`.
    xp : module
        ``numpy`` or ``pytensor.tensor``.

    Returns
    -------
    array
        Broadcast shape of the arguments.
    """
    share = is_target * (1.0 - replay) + (1.0 - is_target) * replay
    phi = power_share(share, gamma, eps, xp)
    return is_target + (1.0 - 2.0 * is_target) * phi


def exponential_response(replay: Any, rate: Any, xp: Any = np) -> Any:
    """Part of the no-replay shift left at a replay ratio, the paper's exponential form.

    ``(1 - exp(-a (1 - r))) / (1 - exp(-a))``: arXiv 2505.07796 Eq. 8, scaled to 1 at r = 0.

    Parameters
    ----------
    replay : array
        Replay ratio, 0..1.
    rate : array
        a, > 0.
    xp : module
        ``numpy`` or ``pytensor.tensor``.

    Returns
    -------
    array
        Broadcast shape of the arguments.
    """
    return xp.expm1(-rate * (1.0 - replay)) / xp.expm1(-rate)


def own_tokens_growth(
    replay: Any,
    is_target: Any,
    kappa: Any,
    onset: Any,
    beta: Any,
    xp: Any = np,
    speed: Any = 1.0,
) -> tuple[Any, Any]:
    """Part of the no-replay shift that a target has at the reference area, and the onset there.

    The target learns from its own tokens: its shift grows with ``share^kappa speed S1cpt`` in place
    of S1cpt, so ``onset`` becomes ``share^kappa speed onset`` and the shift at the reference area
    is that of no replay times ``h(share^kappa speed) / h(1)``. On other sets both stay.

    Parameters
    ----------
    replay : array
        Replay ratio, 0..1.
    is_target : array
        1.0 where the evaluated domain is the target of the run, else 0.0.
    kappa : array
        Exponent of the target's share; 1 counts tokens.
    onset, beta : array
        See `bayescpt.laws.shift.shift_growth`.
    xp : module
        ``numpy`` or ``pytensor.tensor``.
    speed : array
        Factor on the target's area.

    Returns
    -------
    response : array
        Broadcast shape of the arguments; 1 on other sets.
    onset : array
        The same; the onset itself on other sets.
    """
    # A share of nothing at all would be 0/0 in the growth; a billionth is as good as none.
    own_share = is_target * (1.0 - replay) + (1.0 - is_target)
    share = xp.exp(kappa * xp.log(xp.maximum(own_share, 1e-9)))
    share = share * (is_target * speed + (1.0 - is_target))
    own = shift_growth(share, onset, beta, xp)
    return is_target * own + (1.0 - is_target), onset * share


POWER_PARAMETERS = (
    Parameter(
        "replay_gamma",
        "gamma",
        "1",
        ("pair",),
        0.0,
        10.0,
        {"dist": "LogNormal", "mu": -0.7, "sigma": 0.6},
        "Ibrahim et al. (arXiv 2403.08763) to German: the rise is nearly linear in log r "
        "(gamma -> 0) with a slight bend",
        SOURCE_POWER,
    ),
    Parameter(
        "replay_eps",
        "eps",
        "1",
        ("pair",),
        0.0,
        2.0,
        {"dist": "LogNormal", "mu": -3.5, "sigma": 1.0},
        "Ibrahim et al.: half of the forgetting is gone at 1% replay, so eps is .01-.1",
        SOURCE_POWER,
    ),
)
KAPPA = Parameter(
    "share_kappa",
    "kappa",
    "1",
    ("pair",),
    0.0,
    10.0,
    {"dist": "LogNormal", "mu": 0.0, "sigma": 0.2},
    "1: a set learns from its own tokens; repeats and transfer make it a little more or less",
    "bayescpt: target losses of the shipped study cpt_micro nearly fall on one curve in own tokens",
)
SHARE_GAMMA = Parameter(
    "share_gamma",
    "gamma",
    "1",
    ("pair",),
    -3.0,
    3.0,
    {"dist": "Normal", "mu": 0.0, "sigma": 0.4},
    "0 is a rise linear in log r, as Ibrahim et al. (arXiv 2403.08763) have to German; below 0 the "
    "shift without replay saturates, as in published fits of Eq. 4",
    SOURCE_POWER,
)
EXPONENTIAL_PARAMETERS = (
    Parameter(
        "replay_rate",
        "a",
        "1",
        ("pair",),
        0.0,
        100.0,
        {"dist": "LogNormal", "mu": 0.7, "sigma": 0.8},
        "a of a few units bends the response over the ratios in use (.05-.5)",
        SOURCE_EXPONENTIAL,
    ),
    Parameter(
        "anneal_replay",
        "a2",
        "1",
        ("domain",),
        -3.0,
        3.0,
        {"dist": "Normal", "mu": 0.0, "sigma": 0.3},
        "the annealing drop changes by tens of percent between replay 0 and 1",
        SOURCE_EXPONENTIAL,
    ),
)
