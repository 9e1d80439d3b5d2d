"""Ratios of the discrepancy of new runs, learned from simulated errors."""

import numpy as np
import pandas as pd
import pytest

from bayescpt.data import load_example
from case_studies.learn_discrepancy import BEFORE, Ratios, bands, last_errors, learn

TRUE = Ratios((float(np.log(0.4)), 0.5), (float(np.log(0.7)), 0.4))


def simulated(seed: int, groups: int = 40, runs: int = 15) -> pd.DataFrame:
    """Errors of left-out runs whose studies draw their ratios from `TRUE`."""
    rng = np.random.default_rng(seed)
    rows = []
    for study in range(groups):
        near, far = (np.exp(mean + sd * rng.standard_normal()) for mean, sd in TRUE)
        unit, variance = 0.04**2, 0.01**2
        distance, left = rng.uniform(0.0, 3.0, runs), rng.uniform(0.2, 1.0, runs)
        sd = np.sqrt(variance + unit * (left * near**2 + (far * distance) ** 2))
        rows.append(
            pd.DataFrame(
                {
                    "study": f"s{study}", "pilots": 4, "repeat": 1, "domain": "general",
                    "error": sd * rng.standard_normal(runs),
                    "variance": variance, "unit": unit, "left": left, "distance": distance,
                }
            )
        )  # fmt: skip
    return pd.concat(rows, ignore_index=True)


@pytest.mark.parametrize("seed", [1, 2])
def test_ratios_of_simulated_errors_are_found(seed):
    found = learn(simulated(seed))
    assert found.far[0] == pytest.approx(TRUE.far[0], abs=0.25)
    assert found.near[0] == pytest.approx(TRUE.near[0], abs=0.6)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_bands_of_the_true_ratios_hold_and_those_of_others_do_not(seed):
    table = simulated(seed)
    n = len(table)
    for share in (0.5, 0.9):
        # Rows of a study share its ratios, which doubles the variance at most.
        margin = 4 * np.sqrt(2 * share * (1 - share) / n)
        assert bands(table, TRUE)[f"in {share:.0%}"] == pytest.approx(share, abs=margin)
    half = Ratios(*((mean - np.log(2.0), sd) for mean, sd in TRUE))
    assert bands(table, half)["in 90%"] < 0.8
    assert bands(table, half)["score"] < bands(table, TRUE)["score"]
    assert bands(table, BEFORE)["score"] < bands(table, TRUE)["score"]


@pytest.mark.slow
def test_left_out_runs_of_a_real_study_have_errors_and_units():
    study = load_example("variant_lengths")
    table = last_errors(study, 4, 1)
    assert table.groupby("domain").size().nunique() == 1
    assert set(table["run"]) <= set(study.cpt_runs)
    assert table["run"].nunique() == len(study.cpt_runs) - 4
    assert (table[["variance", "unit"]] > 0).all().all()
    assert (table["distance"] <= 3.0).all()
    assert table["left"].between(0.0, 1.0).all()
    assert table["left"].min() < 0.5
    assert table["error"].abs().max() < 1.0
