"""Annealing term whose drops are those of a power of the LR."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayescpt.data.areas import relaxation_basis
from bayescpt.data.chebyshev import chebyshev_nodes, chebyshev_weights
from bayescpt.laws.kernels import DECAY, KERNELS, LOG_HALF, RATES, SHAPE
from bayescpt.laws.parameter import Parameter
from bayescpt.laws.points import References
from bayescpt.laws.term import register
from bayescpt.laws.terms.annealing import Annealing

Array = NDArray[np.float64]

EXPONENTS = chebyshev_nodes(10, 0.5, 2.5)
EXPONENT = Parameter(
    "lr_exponent", "p", "1", (), 0.5, 2.5,
    {"dist": "Normal", "mu": 1.2, "sigma": 0.3, "lower": 0.5, "upper": 2.5},
    "1 in all published laws; a crude fit of all runs of the small real study has 1.7-1.8 on the "
    "general set; least squares of three bases of the fleet scatter from .6 to 2.6",
    "bayescpt: the annealing drop of arXiv 2503.12811 with eta^p in place of eta", DECAY,
)  # fmt: skip


@dataclass(frozen=True)
class PowerOfLR:
    """Kernel of arXiv 2503.12811 for the drops of ``(eta / peak)^p``, at Chebyshev nodes of p.

    A drop takes effect over the LR sum since it. ``p > 1``: a high LR costs more than in
    proportion, and the last part of a decay gains less than the first.

    Attributes
    ----------
    parameters : tuple of Parameter
        The log of the half-way point, the shape and the exponent.
    holds_climb : bool
        Whether the level holds the rise of the LR by the warm-up.

    Examples
    --------
    >>> refs = References({"peak_lr": 2e-3, "anneal_steps": 100.0})
    >>> lr, steps = np.repeat([2e-3, 1e-3], [50, 200]), np.array([50, 250])
    >>> p = {"log_half": np.log(20.0), "kernel_shape": np.array(0.6), "lr_exponent": np.array(2.0)}
    >>> kernel = PowerOfLR()
    >>> (kernel.basis(lr, 2e-3, steps, refs) @ kernel.weights(p, refs)).round(3).tolist()
    [0.0, 0.75]
    """

    parameters: tuple[Parameter, ...] = (LOG_HALF, SHAPE, EXPONENT)
    holds_climb: bool = False

    def basis(
        self, lr: Array, start: float | None, steps: NDArray[np.int64], refs: References
    ) -> Array:
        """Return columns of drops, shape (n, 10 x 55), rates fastest."""
        peak = refs["peak_lr"]
        before = lr[0] if start is None else start
        share = np.concatenate([[before], lr]) / peak
        columns = [
            relaxation_basis(lr, RATES / peak, steps=steps, drops=-np.diff(share**exponent))
            for exponent in EXPONENTS
        ]
        return np.concatenate(columns, axis=1)

    def weights(self, p: Mapping[str, Any], refs: References, xp: Any = np) -> Any:
        """Return weights of the columns, shape (..., 10 x 55)."""
        tail = KERNELS["area"].weights(p, refs, xp)
        power = chebyshev_weights(p["lr_exponent"], EXPONENTS, xp)
        return xp.concatenate([power[..., k, None] * tail for k in range(EXPONENTS.size)], axis=-1)


@register
class ExponentAnnealing(Annealing):
    """Annealing with drops of a power of the LR, ``sum_k (eta_{k-1}^p - eta_k^p) G(S_k)``."""

    name = "lr_exponent"
    kernel = PowerOfLR()
    in_paper = False
