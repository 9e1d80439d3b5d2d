"""Shift with a replay response by a set's own share of the mixture, after arXiv 2406.01375."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from bayescpt.laws.functions import select
from bayescpt.laws.parameter import Advice, Parameter
from bayescpt.laws.pilots import another_replay
from bayescpt.laws.term import register
from bayescpt.laws.terms.shift import Shift

SOURCE = (
    "own-share power form, after Que et al., arXiv 2406.01375 (C / (r + eps)^gamma), normalised"
)
REPLAY = Advice("the replay response", (another_replay,))
GAMMA = Parameter(
    "replay_gamma", "gamma", "1", ("pair",), 0.0, 10.0,
    {"dist": "LogNormal", "mu": -0.7, "sigma": 0.6},
    "Ibrahim et al. (arXiv 2403.08763) to German: the rise is nearly linear in log r "
    "(gamma -> 0) with a slight bend",
    SOURCE, REPLAY,
)  # fmt: skip
EPS = Parameter(
    "replay_eps", "eps", "1", ("pair",), 0.0, 2.0,
    {"dist": "LogNormal", "mu": -3.5, "sigma": 1.0},
    "Ibrahim et al.: half of the forgetting is gone at 1% replay, so eps is .01-.1",
    SOURCE, REPLAY,
)  # fmt: skip


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
        ``numpy`` (also for xarray objects), ``pytensor.tensor`` or what stands in for them.

    Returns
    -------
    array
        Broadcast shape of the arguments.

    Examples
    --------
    >>> abs(power_share(np.array([0.0, 0.25, 1.0]), 0.5, 0.03)).round(3).tolist()
    [1.0, 0.189, 0.0]
    """
    log_all = xp.log1p(eps)
    top = xp.expm1(-gamma * (xp.log(share + eps) - log_all))
    return top / xp.expm1(-gamma * (xp.log(eps) - log_all))


@register
class OwnShareShift(Shift):
    """``phi(r)`` is left on the general set, ``1 - phi(1 - r)`` on the target.

    r is the general set's own share of the mixture, 1 - r the target's: 1 without replay and 0 at
    replay 1, on both. `power_share` is phi.

    Examples
    --------
    >>> from bayescpt.laws.term import Setting
    >>> term = OwnShareShift(Setting({"replay": "own_share"}))
    >>> p = {"replay_gamma": 0.5, "replay_eps": 0.03}
    >>> left = [term.response(p, {"replay": 0.25, "is_target": target}) for target in (0.0, 1.0)]
    >>> np.round(left, 2).tolist()  # little forgetting, most of the learning
    [0.19, 0.97]
    """

    slot, name, extends = "replay", "own_share", "shift"

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Those of the shift, gamma and eps."""
        return (*super().parameters, GAMMA, EPS)

    def response(self, p: Mapping[str, Any], f: Mapping[str, Any], xp: Any = np) -> Any:
        """Return the part of the no-replay shift that is left."""
        target = f["is_target"]
        share = select(target, 1.0 - f["replay"], f["replay"], xp)
        phi = power_share(share, p["replay_gamma"], p["replay_eps"], xp)
        return select(target, 1.0 - phi, phi, xp)
