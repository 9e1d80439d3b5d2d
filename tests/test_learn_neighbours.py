"""Correlations of the effects of runs, judged on simulated effects."""

import numpy as np
import pandas as pd
import pytest

from bayescpt.forecast.discrepancy.neighbours import correlation
from case_studies.learn_neighbours import SETTINGS, LeftOut, scores

SIZE, PILOTS, DRAWS = 0.05, 8, 300
TRUE, INDEPENDENT = (0.95, 1.5), (0.0, 1.0)


def simulated(setting: tuple[float, float], seed: int, runs: int = 250) -> pd.DataFrame:
    """Scores of forecasts of runs whose effects are correlated that way."""
    rng = np.random.default_rng(seed)
    rows = []
    for _ in range(runs):
        place = rng.uniform(0.0, 2.0, size=(PILOTS + 1, 2))
        between = np.linalg.norm(place[:, None] - place, axis=2)
        covariance = correlation(between, *setting)
        np.fill_diagonal(covariance, 1.0)
        effects = SIZE * np.linalg.cholesky(covariance) @ rng.standard_normal(PILOTS + 1)
        curve = LeftOut(
            observed=effects[:1],
            law=np.zeros((DRAWS, 1)),
            columns=np.ones((1, 1)),
            units=np.full((1, DRAWS), SIZE),
            fitted=np.repeat(effects[None, 1:, None], DRAWS, axis=2),
            to_pilots=between[0, 1:],
            between=between[1:, 1:],
            sigma=np.full(DRAWS, 1e-4),
        )
        rows += list(scores(curve))
    return pd.DataFrame(rows).groupby(["shared", "fades over"]).mean()


@pytest.mark.parametrize("seed", [1, 2])
def test_the_true_correlation_has_the_best_score(seed):
    correlated, independent = simulated(TRUE, seed), simulated(INDEPENDENT, seed)
    assert TRUE in SETTINGS
    assert INDEPENDENT in SETTINGS
    assert correlated["CRPS"].idxmin() == TRUE
    assert correlated.loc[TRUE, "CRPS"] < 0.8 * correlated.loc[INDEPENDENT, "CRPS"]
    # Control: where effects are independent, bands of correlated ones are too narrow.
    assert independent["CRPS"].idxmin() == INDEPENDENT
    assert independent.loc[TRUE, "in 90%"] < correlated.loc[TRUE, "in 90%"] - 0.05
