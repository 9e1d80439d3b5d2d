"""Losses that goals are held against: of start checkpoints, and of the fitted runs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bayescpt.forecast.noise import plan_rng
from bayescpt.forecast.out_of_domain import SetCurves
from bayescpt.forecast.posterior import Draws
from bayescpt.laws.trajectory import Trajectory

# The first losses of pre-training are of no recipe's interest: this share of a run is left out.
FIRST = 0.1


def start_losses(draws: Draws, path: Trajectory, seed: int = 0) -> NDArray[np.float64]:
    """Loss of the start checkpoint of a trajectory on every domain.

    Parameters
    ----------
    draws : Draws
        Posterior with its study.
    path : Trajectory
        The trajectory.
    seed : int
        Seed of the noise.

    Returns
    -------
    ndarray, shape (domains, draws)
        Nats: as it was measured, which is the same in all draws, or else the draws of the level
        that the fit has for it; an out-of-domain set that was not measured there has the
        combination. NaN from scratch, and where no run of this target was evaluated.
    """
    out = np.full((len(draws.domains), draws.size), np.nan)
    if path.is_cpt:
        rng = plan_rng(seed, path.name)
        for d, domain in enumerate(draws.labels.domain):
            if draws.shows(path, domain):
                measured = draws.study.checkpoint_loss(str(path.start), domain)
                known = measured is not None
                out[d] = measured if known else draws.start_level(path, domain, rng)
        n = len(draws.labels.domain)
        combined = SetCurves(draws, path, seed).expected(out[:n])
        for d, domain in enumerate(draws.sets):
            measured = draws.study.checkpoint_loss(str(path.start), domain)
            out[n + d] = combined[d] if measured is None else measured
    return out


def observed_range(draws: Draws) -> dict[str, list[float]]:
    """Lowest and highest loss of the fitted runs by domain.

    Parameters
    ----------
    draws : Draws
        Posterior with its study.

    Returns
    -------
    dict of str to list of float
        Nats: of the continual pre-training runs with their start checkpoints or, where there are
        none, of the runs from scratch after the first tenth.
    """
    study = draws.study
    curves = study.curves[study.curves["run"].isin(study.cpt_runs)]
    if curves.empty:
        steps = study.curves["run"].map({name: study.run(name).steps for name in study.pt_runs})
        curves = study.curves[study.curves["step"] > FIRST * steps]
    by_domain = curves.groupby("domain")["loss"].agg(["min", "max"])
    return {str(name): [float(a), float(b)] for name, a, b in by_domain.itertuples()}
