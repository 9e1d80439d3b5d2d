"""Annealing term: the drop of the loss when the LR comes down, with an inferred memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from bayescpt.data.areas import memory_nodes, memory_weights
from bayescpt.laws.table import Parameter

SOURCE = (
    "Tissue et al., arXiv 2408.11029: C S2; Wang et al., arXiv 2505.07796, Eq. 4: C1 S2pt, C2 S2cpt"
)
SOURCE_AREA = (
    "Luo et al., arXiv 2503.12811: G(x) = 1 - (1 + C x)^-beta, x the LR sum since the drop"
)
SOURCE_POWER = f"{SOURCE_AREA}; here the steps since the drop"

# The prior of the memory keeps inside this range (LOG_MEMORY).
MEMORY_RANGE = (2.0, 5000.0)
N_NODES = 40
# Relaxation rates, 1 / (steps at the reference peak LR). The mixture over them is a trapezoidal
# rule in log rate, which converges exponentially in 1 / spacing.
RATES = np.exp(np.arange(-16.0, 6.0, 0.4))
# Drops are scaled to what is reached after this share of a run, or so many steps: about a decay
# phase, so that the size of the drop and the shape of the kernel are told apart by different rows.
NORM_SHARE = 0.1
NORM_STEPS = 100.0


def memory_grid() -> Any:
    """Memory lengths at which the momentum kernel's areas are computed.

    Returns
    -------
    ndarray, shape (40,)
        Chebyshev nodes in log memory, steps.
    """
    return memory_nodes(N_NODES, MEMORY_RANGE)


def kernel_weights(kernel: str, values: Mapping[str, Any], norm: Any, xp: Any = np) -> Any:
    """Weights of the annealing basis: ``basis @ weights`` is the scaled annealing area.

    ``momentum``: memory in steps, arXiv 2408.11029. ``area``: memory in LR sum with a heavy tail,
    arXiv 2503.12811; ``power``: the same tail in steps. ``(1 + x/s)^-b`` is a Gamma mixture of
    exponentials, whose weights are smooth in s and b, and whose half-way point, not s, is the
    parameter.

    Parameters
    ----------
    kernel : str
        ``momentum``, ``area`` or ``power``.
    values : Mapping
        log_memory, or log_half and kernel_shape; arrays of shape (...).
    norm : float
        `References.anneal_steps`, after which a drop counts as 1; not used by ``momentum``.
    xp : module
        ``numpy`` or ``pytensor.tensor``.

    Returns
    -------
    array, shape (..., J)
        Weights.
    """
    if kernel == "momentum":
        return memory_weights(xp.exp(values["log_memory"]), memory_grid(), xp)
    shape = values["kernel_shape"]
    # Half of the drop is reached at x = s (2^(1/b) - 1).
    scale = xp.exp(values["log_half"]) / xp.expm1(np.log(2.0) / shape)
    raw = xp.exp(shape[..., None] * np.log(RATES) - scale[..., None] * RATES)
    reached = raw * -xp.expm1(-RATES * norm)
    return raw / reached.sum(axis=-1)[..., None]


def annealing_drop(anneal: Any, anneal_ref: Any) -> Any:
    """Drop of the loss by LR annealing, nats; negative while the LR is warming up again.

    ``C S2`` of arXiv 2408.11029 with ``anneal = S2 (1 - lambda) / peak`` (1 after a full anneal
    from the reference peak LR) and ``anneal_ref = C peak / (1 - lambda)`` in nats: C and lambda
    form a ridge, the product ``C / (1 - lambda)`` does not. Under a heavy tail `anneal_ref` is what
    takes effect within `References.anneal_steps`: the rest is far off, and little is known of it.

    Parameters
    ----------
    anneal : array
        Scaled annealing area, shape (n_rows,).
    anneal_ref : array
        Drop by a full anneal from the reference peak LR, nats.

    Returns
    -------
    array
        Nats.
    """
    return anneal_ref * anneal


ANNEAL = Parameter(
    "anneal_ref",
    "C2 peak / (1 - lambda)",
    "nat",
    ("domain",),
    0.0,
    5.0,
    {"dist": "LogNormal", "mu": -2.3, "sigma": 0.8},
    "published C2 = .26-.44 at peak 2e-4 and lambda .999: .05-.09 nats; small models .1-.3",
    SOURCE,
)
ANNEAL_PT = Parameter(
    "anneal_pt_ref",
    "C1 peak / (1 - lambda)",
    "nat",
    ("domain",),
    0.0,
    5.0,
    {"dist": "LogNormal", "mu": -2.3, "sigma": 0.8},
    "published C1 = .27-.49: as C2",
    SOURCE,
)
REWARM = Parameter(
    "rewarm_ref",
    "zeta",
    "nat",
    ("domain",),
    0.0,
    5.0,
    {"dist": "LogNormal", "mu": -2.3, "sigma": 0.8},
    "Ibrahim et al. (arXiv 2403.08763): a re-warm-up on the same data raises the loss by .1-.2",
    "bayescpt: the re-warm-up's share of C2 S2cpt in arXiv 2505.07796, with a size of its own",
)
LOG_MEMORY = Parameter(
    "log_memory",
    "log 1/(1 - lambda)",
    "log step",
    (),
    0.6931471805599453,
    8.517193191416238,
    {"dist": "Normal", "mu": 4.6, "sigma": 1.5, "lower": 0.7, "upper": 8.5},
    "lambda = .999 in both papers (1000 steps); small models fit best with 10-300 steps",
    SOURCE,
)
LOG_HALF = Parameter(
    "log_half",
    "log x_half",
    "log step",
    (),
    -5.0,
    9.0,
    {"dist": "Normal", "mu": 3.4, "sigma": 1.0, "lower": -5.0, "upper": 8.0},
    "half of a drop within some tens to hundreds of steps at peak LR, as the momentum's memory",
    SOURCE_AREA,
)
LOG_HALF_STEPS = replace(
    LOG_HALF,
    default={"dist": "Normal", "mu": 4.6, "sigma": 1.5, "lower": 0.7, "upper": 8.5},
    reason="as the memory of momentum, which is in steps too",
    source=SOURCE_POWER,
)
KERNEL_SHAPE = Parameter(
    "kernel_shape",
    "beta",
    "1",
    (),
    0.2,
    5.0,
    {"dist": "LogNormal", "mu": -0.7, "sigma": 0.2},
    "arXiv 2503.12811 fits .4-.6; with a wider prior it and log_half form a ridge. Above 5 the "
    "kernel is as good as an exponential in the LR sum",
    SOURCE_AREA,
)
SHAPE_STEPS = replace(
    KERNEL_SHAPE,
    reason="arXiv 2503.12811 fits .4-.6; with a wider prior it and log_half form a ridge. Above 5 "
    "the kernel is as good as momentum",
    source=SOURCE_POWER,
)
KERNELS = {
    "momentum": (LOG_MEMORY,),
    "area": (LOG_HALF, KERNEL_SHAPE),
    "power": (LOG_HALF_STEPS, SHAPE_STEPS),
}


def _median(parameter: Parameter) -> Any:
    center: Any = parameter.default["mu"]
    return np.array(np.exp(center) if parameter.default["dist"] == "LogNormal" else center)


# The priors' medians, by kernel and parameter.
TYPICAL = {kernel: {p.name: _median(p) for p in ps} for kernel, ps in KERNELS.items()}
