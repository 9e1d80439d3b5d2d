"""The LR in laws of final losses: a parabola in its logarithm, whose slope changes with size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bayescpt.laws.parameter import Parameter

SOURCE = "reasoned: losses of sweeps over the peak LR are parabolas in its logarithm near the best"


@dataclass(frozen=True)
class LrParameter(Parameter):
    """Parameter of the LR term.

    Attributes
    ----------
    needs : tuple of str
        Covariates by which runs must differ to inform it.
    """

    needs: tuple[str, ...] = ()


LR_PARAMETERS = (
    LrParameter(
        "lr_slope", "dL/dln f", "nat", ("set",), -3.0, 3.0,
        {"dist": "Normal", "mu": 0.0, "sigma": 0.15},
        "nats per e-fold of the LR: .01 to .2 on published sweeps, falling on the target and "
        "rising on the general set", SOURCE, needs=("lr",),
    ),
    LrParameter(
        "lr_curve", "d2L/dln f2 / 2", "nat", ("set",), -2.0, 2.0,
        {"dist": "Normal", "mu": 0.0, "sigma": 0.05},
        "a factor of 2 off the best LR costs .01 to .02 nats; either sign, since forgetting "
        "saturates", SOURCE, needs=("lr",),
    ),
    LrParameter(
        "lr_tilt", "d2L/dln f dln N", "nat", ("set",), -1.0, 1.0,
        {"dist": "Normal", "mu": 0.0, "sigma": 0.03},
        "the best factor of the base's peak moves little with size: 0 is a factor that transfers",
        SOURCE, needs=("lr", "n_params"),
    ),
)  # fmt: skip


def lr_effect(p: Mapping[str, Any], size: Any, lr: Any) -> Any:
    """Change of the final loss with the LR, 0 at the reference LR.

    ``lr (slope + tilt size + curve lr)``, with the logarithms `lr` and `size` over the reference.

    Parameters
    ----------
    p : mapping of str to array
        ``lr_slope``, ``lr_curve`` and ``lr_tilt``, nats.
    size, lr : array
        Natural logarithms over the reference point.

    Returns
    -------
    array
        nats per token.

    Examples
    --------
    >>> p = {"lr_slope": -0.05, "lr_curve": 0.03, "lr_tilt": 0.01}
    >>> round(lr_effect(p, 0.0, 0.5), 4)
    -0.0175
    """
    return lr * (p["lr_slope"] + p["lr_tilt"] * size + p["lr_curve"] * lr)
