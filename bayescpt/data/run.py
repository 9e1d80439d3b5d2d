"""A training run: one phase, with its schedule and its place in the study."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bayescpt.data.schedule import Schedule


@dataclass(frozen=True, eq=False)
class Run:
    """One training phase.

    Parameters
    ----------
    name : str
        Name in the study.
    phase : {"pt", "cpt"}
        Pre-training or continual pre-training.
    schedule : Schedule or None
        Learning rates; None for an open base model whose schedule is unknown.
    replay_ratio : float or ndarray, shape (steps,)
        Fraction of general tokens in the training mixture, 0 to 1: one value, or one per update.
        NaN for a run in which it has no meaning.
    parent : str or None
        The run whose final checkpoint this one starts from.
    domain : str or None
        Target domain of a cpt run.
    steps : int
        Number of updates.
    branch_of : str or None
        The run whose first steps this one shares (its trunk).
    branch_step : int
        The last of these steps; 0 without a trunk.
    seed : int or None
        Random seed of the run.
    n_params : float or None
        Number of parameters of the model.
    tokens_per_step : float or None
        Batch size in tokens per update.
    tokens : float or None
        Tokens trained on; used for a base whose schedule is unknown, and by laws of final losses.
    lr_factor, peak_lr : float or None
        Peak LR over that of the base's own pre-training, and as it is; used by laws of final
        losses, where there is no schedule.
    shares : dict of str to float or None
        Share of each source in the tokens, where a table has them.

    Examples
    --------
    >>> from bayescpt.data import load_example
    >>> run = load_example("cpt_micro").run("de_r25_cos")
    >>> run.schedule
    Schedule('cosine': 1000 steps, peak 0.002, final 0.0002)
    >>> run.parent, run.domain, run.replay_ratio
    ('pt_r0', 'german', 0.25)
    """

    name: str
    phase: str
    schedule: Schedule | None
    replay_ratio: float | NDArray[np.float64]
    parent: str | None
    domain: str | None
    steps: int
    branch_of: str | None = None
    branch_step: int = 0
    seed: int | None = None
    n_params: float | None = None
    tokens_per_step: float | None = None
    tokens: float | None = None
    lr_factor: float | None = None
    peak_lr: float | None = None
    shares: dict[str, float] | None = None

    @property
    def is_open(self) -> bool:
        """Whether it is pre-training whose schedule is unknown, as of an open base model."""
        return self.phase == "pt" and self.schedule is None
