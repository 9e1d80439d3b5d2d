"""Annealing term of the Multi-Power Law: drops to a lower LR take effect over a smaller LR sum."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from bayescpt.data.areas import relaxation_basis
from bayescpt.data.chebyshev import chebyshev_nodes, chebyshev_weights
from bayescpt.laws.functions import log_gamma
from bayescpt.laws.kernels import DECAY, LOG_HALF, SHAPE
from bayescpt.laws.parameter import Parameter
from bayescpt.laws.points import References
from bayescpt.laws.term import register
from bayescpt.laws.terms.annealing import Annealing

Array = NDArray[np.float64]

# Range of log (reference peak LR / LR that a drop leads to): twice the peak to 3% of it. Drops
# further down count as if they ended there. The kernel is analytic in it within pi / gamma of the
# real axis, so that the interpolation at 8 nodes errs by 1e-6 of a drop, 2e-5 at gamma = .9.
HIGHEST, LOWEST = -0.7, 3.5
LEVELS = chebyshev_nodes(8, HIGHEST, LOWEST)
# The trapezoidal rule over log rates errs by 1e-5 at this spacing.
SPACING = 0.8
RATES = np.exp(np.arange(-16.0, 9.0, SPACING))

GAMMA = Parameter(
    "lr_gamma", "gamma", "1", (), 0.0, 1.0,
    {"dist": "Normal", "mu": 0.6, "sigma": 0.15, "lower": 0.0, "upper": 0.95},
    "published fit .63 at 400M; least squares of the bases of the fleet: .65-.85 from all, .1-.6 "
    "from three. At 1 and above a drop to an LR of 0 would take effect without any training",
    "Luo et al., arXiv 2503.12811: G(eta_k^-gamma S_k)", DECAY,
)  # fmt: skip


@dataclass(frozen=True)
class MultiPower:
    """Kernel ``G(eta_k^-gamma S_k)`` of arXiv 2503.12811, ``G(x) = 1 - (1 + C x)^-beta``.

    The speed of a drop depends on the LR that it leads to, so drops are sorted by that LR, and each
    class relaxes with rates of its own. As under `HeavyTail`, a drop counts as 1 after
    ``anneal_steps`` at the peak LR, and the half-way point of such a drop is the parameter.

    Attributes
    ----------
    parameters : tuple of Parameter
        The log of the half-way point, the shape and gamma.
    holds_climb : bool
        Whether the level holds the rise of the LR by the warm-up: as published, it does not.

    Examples
    --------
    >>> refs = References({"peak_lr": 2e-3, "anneal_steps": 100.0})
    >>> lr, steps = np.repeat([2e-3, 1e-3], [50, 100]), np.array([50, 60, 150])
    >>> p = {"log_half": np.log(20.0), "kernel_shape": np.array(0.6), "lr_gamma": np.array(0.6)}
    >>> (MultiPower().basis(lr, 2e-3, steps, refs) @ MultiPower().weights(p, refs)).round(
    ...     3
    ... ).tolist()
    [0.0, 0.196, 0.476]
    """

    parameters: tuple[Parameter, ...] = (LOG_HALF, SHAPE, GAMMA)
    holds_climb: bool = False

    def basis(
        self, lr: Array, start: float | None, steps: NDArray[np.int64], refs: References
    ) -> Array:
        """Return columns of drops over the peak LR, shape (n, 8 x 32), rates fastest."""
        peak = refs["peak_lr"]
        drops = -np.diff(lr, prepend=lr[0] if start is None else start)
        shares = chebyshev_weights(-np.log(np.maximum(lr / peak, np.exp(-LOWEST))), LEVELS)
        columns = [
            relaxation_basis(lr, RATES / peak, steps=steps, drops=drops * share)
            for share in shares.T
        ]
        return np.concatenate(columns, axis=1) / peak

    def weights(self, p: Mapping[str, Any], refs: References, xp: Any = np) -> Any:
        """Return weights of the columns, shape (..., 8 x 32)."""
        shape, log_scale = p["kernel_shape"], xp.log(_scale(p, xp))
        size = np.log(SPACING) - log_gamma(shape, xp) - xp.log(_reached(p, refs, xp))
        each = []
        for level in LEVELS:
            faster = log_scale - p["lr_gamma"] * level
            power = shape[..., None] * np.log(RATES) + (size + shape * faster)[..., None]
            each.append(xp.exp(power - xp.exp(faster)[..., None] * RATES))
        return xp.concatenate(each, axis=-1)


def _scale(p: Mapping[str, Any], xp: Any) -> Any:
    """``1 / C`` at the peak LR, steps: half of a drop is reached at scale (2^(1/b) - 1)."""
    return xp.exp(p["log_half"]) / xp.expm1(np.log(2.0) / p["kernel_shape"])


def _reached(p: Mapping[str, Any], refs: References, xp: Any) -> Any:
    """Part of a drop at the peak LR that has taken effect after ``anneal_steps``."""
    return -xp.expm1(-p["kernel_shape"] * xp.log1p(refs["anneal_steps"] / _scale(p, xp)))


@register
class MultiPowerAnnealing(Annealing):
    """Annealing of the Multi-Power Law, arXiv 2503.12811.

    ``B sum_k (eta_{k-1} - eta_k) G(eta_k^-gamma S_k)``. Steps at an LR of 0 change nothing, and of
    a higher peak LR more is left when a run ends.

    Examples
    --------
    >>> from bayescpt.laws.term import Setting
    >>> term = MultiPowerAnnealing(Setting({"annealing": "multi_power"}))
    >>> [parameter.name for parameter in term.parameters][:3]
    ['log_half', 'kernel_shape', 'lr_gamma']
    """

    name = "multi_power"
    kernel = MultiPower()
    in_paper = False
    derived: ClassVar[Mapping[str, tuple[str, tuple[str, ...]]]] = {
        **Annealing.derived,
        "B_anneal": ("nat / LR", ("domain",)), "C_anneal": ("LR^(gamma - 1) / step", ()),
    }  # fmt: skip

    def symbols(self, ref: Mapping[str, Any], refs: References, xp: Any = np) -> dict[str, Any]:
        """Return B and C of the paper too, B of continual pre-training where that is described."""
        out = super().symbols(ref, refs, xp)
        drop = ref["anneal_ref"] if "anneal_ref" in ref else ref.get("anneal_pt_ref")
        if drop is None or "log_half" not in ref:
            return out
        at_peak = xp.exp((ref["lr_gamma"] - 1.0) * np.log(refs["peak_lr"]))
        b = drop / (refs["peak_lr"] * _reached(ref, refs, xp))
        return out | {"B_anneal": b, "C_anneal": at_peak / _scale(ref, xp)}
