"""View of a trajectory at chosen steps: quantities that several terms read, computed once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayescpt.data.areas import forward_area
from bayescpt.laws.points import References
from bayescpt.laws.replay_state import TARGET_EXPONENT, remembered_on_target, remembered_replay
from bayescpt.laws.trajectory import Trajectory, counted_lr

Array = NDArray[np.float64]

# The law does not apply before any training; this keeps the logarithm finite.
SMALLEST = 1e-9


@dataclass(frozen=True, eq=False)
class View:
    """A trajectory at chosen steps, on the reference scales.

    Attributes
    ----------
    trajectory : Trajectory
        What is trained.
    steps : ndarray of int, shape (n,)
        Steps, 0..n_steps; 0 only where there is a start checkpoint.
    refs : References
        Reference points.

    Examples
    --------
    >>> lr = np.array([1e-3, 2e-3, 2e-3, 0.0])
    >>> path = Trajectory("run", "cpt", lr, np.zeros(4), "base", 0.04, (), 2e-3, "german")
    >>> refs = References({"area": 0.04, "shift_area": 5e-3, "peak_lr": 2e-3})
    >>> view = View(path, np.array([0, 2, 4]), refs)
    >>> view.spent.round(3).tolist(), view.fraction.tolist()
    ([0.0, 0.6, 1.0], [0.0, 0.5, 1.0])
    """

    trajectory: Trajectory
    steps: NDArray[np.int64]
    refs: References
    _shared: dict[str, Any] = field(default_factory=dict, repr=False)

    @property
    def is_cpt(self) -> bool:
        """Whether it is continual pre-training."""
        return self.trajectory.is_cpt

    @cached_property
    def lr(self) -> Array:
        """Learning rates as they count in the areas, shape (n_steps,)."""
        return counted_lr(self.trajectory.lr, self.refs.warmup)

    @cached_property
    def area(self) -> Array:
        """Forward area of this phase at every step, LR x steps, shape (n_steps + 1,)."""
        return forward_area(self.lr)

    @cached_property
    def spent(self) -> Array:
        """Forward area of this phase at the steps, over ``shift_area``, shape (n,)."""
        return np.asarray(self.area[self.steps] / self.refs["shift_area"])

    @cached_property
    def log_area(self) -> Array:
        """Log of the forward area of all phases over ``area``, shape (n,)."""
        area = self.trajectory.start_area + self.area[self.steps]
        smallest = SMALLEST * self.refs["area"]
        return np.asarray(np.log(np.maximum(area, smallest) / self.refs["area"]))

    @property
    def log_area_start(self) -> float:
        """The same at the start checkpoint; 0 (the reference area) in pre-training."""
        if not self.is_cpt:
            return 0.0
        return float(np.log(self.trajectory.start_area / self.refs["area"]))

    @cached_property
    def fraction(self) -> Array:
        """Steps over the (nominal) number of steps, shape (n,)."""
        path = self.trajectory
        return np.asarray(self.steps / (path.nominal_steps or path.n_steps))

    @cached_property
    def replay(self) -> Array:
        """Replay ratio that sets other than the target remember, at the steps, shape (n,)."""
        over = self.area / self.refs["shift_area"]
        return remembered_replay(self.trajectory.replay, over, self.steps)

    @cached_property
    def own_area(self) -> Array:
        """Sum of LR^.6 over that of the reference area at the peak, shape (n_steps + 1,)."""
        peak = self.refs["peak_lr"]
        spent = forward_area((self.lr / peak) ** TARGET_EXPONENT)
        return np.asarray(spent * peak / self.refs["shift_area"])

    @cached_property
    def target_replay(self) -> Array:
        """Replay ratio that the run's target remembers, at the steps, shape (n,)."""
        return remembered_on_target(self.trajectory.replay, self.own_area, self.steps)

    def replay_on(self, is_target: bool) -> Array:
        """Remembered replay ratio on an evaluated domain.

        Parameters
        ----------
        is_target : bool
            Whether the domain is what the run trains on.

        Returns
        -------
        ndarray, shape (n,)
        """
        return self.target_replay if is_target else self.replay

    @property
    def log_peak(self) -> float:
        """Log of the peak LR over its reference."""
        peak = self.trajectory.lr.max() / self.refs["peak_lr"]
        return float(np.log(max(peak, SMALLEST)))

    def shared(self, name: str, compute: Callable[[], Any]) -> Any:
        """Compute what does not depend on the evaluated domain once.

        Parameters
        ----------
        name : str
            Name of the quantity, such as ``annealing.basis``.
        compute : callable
            Computes it.

        Returns
        -------
        object
        """
        if name not in self._shared:
            self._shared[name] = compute()
        return self._shared[name]
