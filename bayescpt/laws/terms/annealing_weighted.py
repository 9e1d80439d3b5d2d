"""Annealing term with momentum that counts more at a higher LR."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayescpt.data.areas import annealing_area, memory_nodes, memory_weights
from bayescpt.data.chebyshev import chebyshev_nodes, chebyshev_weights
from bayescpt.laws.kernels import DECAY, LOG_MEMORY, MEMORY_RANGE, N_NODES
from bayescpt.laws.parameter import Parameter
from bayescpt.laws.points import References
from bayescpt.laws.term import register
from bayescpt.laws.terms.annealing import Annealing

Array = NDArray[np.float64]

# An LR below this share of the peak counts as it, 0 as nothing: log LR has no end.
LOWEST = 1e-3
EXPONENTS = chebyshev_nodes(10, 0.0, 1.0)
EPSILON = Parameter(
    "lr_epsilon", "epsilon", "1", (), 0.0, 1.0,
    {"dist": "Normal", "mu": 0.15, "sigma": 0.1, "lower": 0.0, "upper": 0.95},
    "published variants have .1 and .2",
    "Tissue et al., arXiv 2408.11029: S2 = sum of m_i eta_i^epsilon", DECAY,
)  # fmt: skip


@dataclass(frozen=True)
class WeightedMomentum:
    """Momentum ``m_i`` weighted by ``(eta_i / peak)^epsilon``, at Chebyshev nodes of both.

    Attributes
    ----------
    parameters : tuple of Parameter
        The log of the memory, and epsilon.
    holds_climb : bool
        Whether the level holds the rise of the LR by the warm-up.

    Examples
    --------
    >>> refs = References({"peak_lr": 2e-3})
    >>> lr, steps = np.repeat([2e-3, 1e-3, 0.0], [50, 50, 100]), np.array([50, 100, 101, 200])
    >>> p = {"log_memory": np.log(np.array(10.0)), "lr_epsilon": np.array(0.2)}
    >>> kernel = WeightedMomentum()
    >>> (kernel.basis(lr, 2e-3, steps, refs) @ kernel.weights(p, refs)).round(3).tolist()
    [0.0, 0.433, 0.433, 0.433]
    """

    parameters: tuple[Parameter, ...] = (LOG_MEMORY, EPSILON)
    holds_climb: bool = False

    def basis(
        self, lr: Array, start: float | None, steps: NDArray[np.int64], refs: References
    ) -> Array:
        """Return columns of drops over the peak LR, shape (n, 10 x 40), memories fastest."""
        share = lr / refs["peak_lr"]
        counted = np.where(share > 0, np.maximum(share, LOWEST), 0.0)
        out = np.empty((steps.size, EXPONENTS.size, N_NODES))
        for j, memory in enumerate(memory_nodes(N_NODES, MEMORY_RANGE)):
            momentum = np.diff(annealing_area(lr, 1.0 - 1.0 / memory, start)) / memory
            for k, exponent in enumerate(EXPONENTS):
                area = np.concatenate([[0.0], np.cumsum(momentum * counted**exponent)])
                out[:, k, j] = area[steps]
        return out.reshape(steps.size, -1) / refs["peak_lr"]

    def weights(self, p: Mapping[str, Any], refs: References, xp: Any = np) -> Any:
        """Return weights of the columns, shape (..., 10 x 40)."""
        memory = memory_weights(xp.exp(p["log_memory"]), memory_nodes(N_NODES, MEMORY_RANGE), xp)
        power = chebyshev_weights(p["lr_epsilon"], EXPONENTS, xp)
        return xp.concatenate(
            [power[..., k, None] * memory for k in range(EXPONENTS.size)], axis=-1
        )


@register
class WeightedAnnealing(Annealing):
    """Annealing with ``S2 = sum of m_i eta_i^epsilon``, a variant of arXiv 2408.11029.

    Momentum that is left when the LR reaches 0 takes no effect any more.
    """

    name = "momentum_weighted"
    kernel = WeightedMomentum()
    in_paper = False
