"""Losses so far of the plans that are runs in flight."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from bayescpt.forecast.posterior import Draws
from bayescpt.laws.trajectory import Trajectory

COLUMNS = ["run", "step", "domain", "loss"]


def losses_so_far(draws: Draws, paths: Sequence[Trajectory]) -> pd.DataFrame:
    """Fitted losses of the plans that are runs in flight, from which their forecasts carry on.

    Parameters
    ----------
    draws : Draws
        Posterior with the fitted study.
    paths : sequence of Trajectory
        Trajectories of the plans.

    Returns
    -------
    DataFrame
        Columns run (the name of the plan), step, domain and loss, as in a study's curves; empty if
        no plan is a run in flight.
    """
    curves = draws.study.curves
    curves = curves[curves["domain"].isin(draws.domains)]
    parts = [
        curves.loc[curves["run"] == path.run, COLUMNS].assign(run=path.name)
        for path in paths
        if draws.is_fitted(path) and draws.observed[str(path.run)].n_steps < path.n_steps
    ]
    return pd.concat(parts, ignore_index=True) if parts else curves.loc[[], COLUMNS]
