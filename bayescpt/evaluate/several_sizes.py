"""A design of several model sizes, from a study of one."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from bayescpt.data import Study
from bayescpt.errors import StudyError


def several_sizes(study: Study, factors: Mapping[float, float]) -> Study:
    """Repeat the runs of a study, bases included, on models of other sizes.

    Parameters
    ----------
    study : Study
        A study whose runs have one model size.
    factors : mapping of float to float
        By factor of the model size, the factor of all learning rates, as larger models have lower
        ones.

    Returns
    -------
    Study
        Its runs and, for every factor, the same named ``NAME@FACTOR``. Losses are those of the
        study: a design to simulate from.

    Raises
    ------
    StudyError
        If a run has no ``n_params``.

    Examples
    --------
    >>> from bayescpt.data import load_example
    >>> from bayescpt.data.sizes import model_sizes
    >>> model_sizes(several_sizes(load_example("cpt_micro"), {4.0: 0.7}))
    (332448.0, 1329792.0)
    """
    if study.runs["n_params"].isna().any():
        name = study.runs.loc[study.runs["n_params"].isna(), "run"].iloc[0]
        raise StudyError(f"study {study.name!r}: run {name!r} has no n_params")
    runs, curves, lrs = [study.runs], [study.curves], [_rates(study, "", 1.0)]
    for factor, lr_factor in factors.items():
        mark = f"@{factor:g}"
        own = study.runs.assign(n_params=study.runs["n_params"] * factor)
        for column in ("run", "parent", "branch_of"):
            own[column] = [f"{v}{mark}" if isinstance(v, str) and v else v for v in own[column]]
        runs.append(own)
        # A hair apart: equal curves would be taken for a copy.
        losses = study.curves["loss"] * (1.0 + 1e-6 * np.log(factor))
        curves.append(study.curves.assign(run=study.curves["run"] + mark, loss=losses))
        lrs.append(_rates(study, mark, lr_factor))
    return Study.from_frames(
        pd.concat(curves), pd.concat(runs, ignore_index=True), pd.concat(lrs), name=study.name,
        general=study.general, notes=study.notes, allow_mixed=study.allow_mixed,
    )  # fmt: skip


def _rates(study: Study, mark: str, factor: float) -> pd.DataFrame:
    """Learning rates, and replay ratios that change, of all runs."""
    return pd.concat(
        pd.DataFrame(
            {
                "run": f"{name}{mark}",
                "step": np.arange(1, lr.size + 1),
                "lr": factor * lr,
                "replay": study.replays.get(name, np.nan),
            }
        )
        for name, lr in study.lrs.items()
    )
