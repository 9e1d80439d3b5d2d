"""Annealing kernels: fraction of an LR drop that has taken effect over time.

Each turns the drops of a trajectory into columns, and its parameters into weights of the columns:
``basis @ weights`` is the annealing area, scaled to 1 for a full anneal from the reference peak LR.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from bayescpt.data.areas import annealing_basis, memory_nodes, memory_weights, relaxation_basis
from bayescpt.laws.parameter import Advice, Parameter
from bayescpt.laws.pilots import another_decay, another_peak
from bayescpt.laws.points import References

Array = NDArray[np.float64]

SOURCE = (
    "Tissue et al., arXiv 2408.11029: C S2; Wang et al., arXiv 2505.07796, Eq. 4: C1 S2pt, C2 S2cpt"
)
SOURCE_AREA = (
    "Luo et al., arXiv 2503.12811: G(x) = 1 - (1 + C x)^-beta, x the LR sum since the drop"
)
SOURCE_POWER = f"{SOURCE_AREA}; here the steps since the drop"
DECAY = Advice("annealing", (another_decay, another_peak))

# Range of the prior of the memory.
MEMORY_RANGE = (2.0, 5000.0)
N_NODES = 40
# Relaxation rates, 1 / (steps at the reference peak LR). The mixture over them is a trapezoidal
# rule in log rate, which converges exponentially in 1 / spacing.
RATES = np.exp(np.arange(-16.0, 6.0, 0.4))

LOG_MEMORY = Parameter(
    "log_memory", "log 1/(1 - lambda)", "log step", (), 0.6931471805599453, 8.517193191416238,
    {"dist": "Normal", "mu": 4.6, "sigma": 1.5, "lower": 0.7, "upper": 8.5},
    "lambda = .999 in both papers (1000 steps); small models fit best with 10-300 steps",
    SOURCE, DECAY,
    # Beyond the nodes the interpolated annealing area diverges, so the prior has no mass there.
    outside=0.0,
)  # fmt: skip
LOG_HALF = Parameter(
    "log_half", "log x_half", "log step", (), -5.0, 9.0,
    {"dist": "Normal", "mu": 3.4, "sigma": 1.0, "lower": -5.0, "upper": 8.0},
    "half of a drop within some tens to hundreds of steps at peak LR, as the momentum's memory",
    SOURCE_AREA, DECAY,
)  # fmt: skip
LOG_HALF_STEPS = replace(
    LOG_HALF,
    default={"dist": "Normal", "mu": 4.6, "sigma": 1.5, "lower": 0.7, "upper": 8.5},
    reason="as the memory of momentum, which is in steps too",
    source=SOURCE_POWER,
)
SHAPE = Parameter(
    "kernel_shape", "beta", "1", (), 0.2, 5.0,
    {"dist": "LogNormal", "mu": -0.7, "sigma": 0.2},
    "arXiv 2503.12811 fits .4-.6; with a wider prior it and log_half form a ridge. Above 5 the "
    "kernel is as good as an exponential in the LR sum",
    SOURCE_AREA, DECAY,
)  # fmt: skip
SHAPE_STEPS = replace(
    SHAPE,
    reason="arXiv 2503.12811 fits .4-.6; with a wider prior it and log_half form a ridge. Above 5 "
    "the kernel is as good as momentum",
    source=SOURCE_POWER,
)


class Kernel(Protocol):
    """What an annealing term needs of a kernel.

    Attributes
    ----------
    parameters : tuple of Parameter
        Parameters of the kernel, without dimensions.
    holds_climb : bool
        Whether the level holds the rise of the LR by the warm-up, see `HeavyTail`.
    """

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Parameters of the kernel."""

    @property
    def holds_climb(self) -> bool:
        """Whether the level holds the rise of the LR by the warm-up."""

    def basis(
        self, lr: Array, start: float | None, steps: NDArray[np.int64], refs: References
    ) -> Array:
        """Return columns at the steps, shape (n, J)."""

    def weights(self, p: Mapping[str, Any], refs: References, xp: Any = np) -> Any:
        """Return weights of the columns, shape (..., J)."""


@dataclass(frozen=True)
class Momentum:
    """Exponential memory in steps, arXiv 2408.11029, at Chebyshev nodes in its logarithm.

    Attributes
    ----------
    parameters : tuple of Parameter
        The log of the memory.
    n_columns : int
        Number of nodes.
    holds_climb : bool
        Whether the level holds the rise of the LR by the warm-up, see `HeavyTail`.

    Examples
    --------
    >>> refs = References({"peak_lr": 2e-3})
    >>> lr, steps = np.repeat([2e-3, 0.0], [50, 100]), np.array([50, 60, 150])
    >>> columns = Momentum().basis(lr, 2e-3, steps, refs)
    >>> weights = Momentum().weights({"log_memory": np.log(10.0)}, refs)
    >>> abs(columns @ weights).round(3).tolist()
    [0.0, 0.651, 1.0]
    """

    parameters: tuple[Parameter, ...] = (LOG_MEMORY,)
    holds_climb: bool = False

    def basis(
        self, lr: Array, start: float | None, steps: NDArray[np.int64], refs: References
    ) -> Array:
        """Return columns of drops over the peak LR, shape (n, 40)."""
        memory = memory_nodes(N_NODES, MEMORY_RANGE)
        return annealing_basis(lr, memory, start, steps) / (memory * refs["peak_lr"])

    def weights(self, p: Mapping[str, Any], refs: References, xp: Any = np) -> Any:
        """Return weights of the columns, shape (..., 40)."""
        nodes = memory_nodes(N_NODES, MEMORY_RANGE)
        return memory_weights(xp.exp(p["log_memory"]), nodes, xp)


@dataclass(frozen=True)
class HeavyTail:
    """Kernel ``1 - (1 + x/s)^-b`` of arXiv 2503.12811, x the LR sum or the steps since a drop.

    ``(1 + x/s)^-b`` is a Gamma mixture of exponentials, whose weights are smooth in s and b. The
    half-way point, not s, is the parameter. A drop counts as 1 after ``anneal_steps``: what takes
    effect later is far off, and little is known of it.

    Attributes
    ----------
    clock : str
        ``area`` or ``steps``: what x counts. Below ``whole_step_lr`` of the peak LR a step counts
        in proportion to its LR: at an LR of 0 nothing is trained, and no drop takes effect.
    parameters : tuple of Parameter
        The log of the half-way point, and the shape.
    n_columns : int
        Number of rates.
    holds_climb : bool
        Whether the level holds the rise of the LR by the warm-up: without a lambda the two would
        form a ridge.

    Examples
    --------
    >>> refs = References({"peak_lr": 2e-3, "anneal_steps": 100.0})
    >>> lr, steps = np.repeat([2e-3, 0.0], [50, 100]), np.array([50, 60, 150])
    >>> tail = KERNELS["power"]
    >>> weights = tail.weights(typical(tail), refs)
    >>> (tail.basis(lr, 2e-3, steps, refs) @ weights).round(3).tolist()
    [0.0, 0.247, 1.0]
    """

    clock: str
    parameters: tuple[Parameter, ...]
    holds_climb: bool = True

    def basis(
        self, lr: Array, start: float | None, steps: NDArray[np.int64], refs: References
    ) -> Array:
        """Return columns of drops over the peak LR, shape (n, 55)."""
        peak = refs["peak_lr"]
        if self.clock == "area":
            return relaxation_basis(lr, RATES / peak, start, steps) / peak
        # A fit saved before this counts steps at an LR of 0 too.
        least = refs.points.get("whole_step_lr", 0.0)
        clock = np.minimum(lr / (least * peak), 1.0) if least else "steps"
        return relaxation_basis(lr, RATES, start, steps, clock) / peak

    def weights(self, p: Mapping[str, Any], refs: References, xp: Any = np) -> Any:
        """Return weights of the columns, shape (..., 55)."""
        shape = p["kernel_shape"]
        # Half of the drop is reached at x = s (2^(1/b) - 1).
        scale = xp.exp(p["log_half"]) / xp.expm1(np.log(2.0) / shape)
        raw = xp.exp(shape[..., None] * np.log(RATES) - scale[..., None] * RATES)
        reached = raw * -xp.expm1(-RATES * refs["anneal_steps"])
        return raw / reached.sum(axis=-1)[..., None]


KERNELS: dict[str, Kernel] = {
    "momentum": Momentum(),
    "area": HeavyTail("area", (LOG_HALF, SHAPE)),
    "power": HeavyTail("steps", (LOG_HALF_STEPS, SHAPE_STEPS)),
}


def typical(kernel: Kernel) -> dict[str, Any]:
    """Medians of the priors of a kernel's parameters.

    Parameters
    ----------
    kernel : Kernel
        The kernel.

    Returns
    -------
    dict of str to ndarray, shape ()

    Examples
    --------
    >>> typical(Momentum())
    {'log_memory': array(4.6)}
    """

    def _median(parameter: Parameter) -> Any:
        center: Any = parameter.default["mu"]
        return np.array(np.exp(center) if parameter.default["dist"] == "LogNormal" else center)

    return {p.name: _median(p) for p in kernel.parameters}
