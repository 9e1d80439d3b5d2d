"""Parameters of simulated studies come back (minutes a study; `pytest -m slow`)."""

import numpy as np
import pandas as pd
import pytest

import bayescpt as bc
from bayescpt.evaluate import simulate_study
from bayescpt.model.card_file import parse_card

# Parameters of one study are off together: five studies do not tell 90% from 95%.
SEEDS = range(1, 11)
STUDIES = 40
LEVEL, LEAST = 0.95, 0.9


def below(shares: pd.Series) -> float:
    """How many standard errors a mean share of true values inside lies below its level.

    Parameters of one study are off together, so that its share counts as one observation.
    """
    short, error = LEVEL - shares.mean(), shares.std() / np.sqrt(len(shares))
    return float(short / error) if error else np.inf * np.sign(short)


def intervals(made: bc.Fit, truth, seed: int) -> pd.DataFrame:
    """95% interval and truth of every sampled parameter."""
    rows = []
    for parameter in made.card.parameters():
        draws = made.posterior[parameter.name]
        true = truth[parameter.name]
        for dim in parameter.dims:  # the two may have their labels in another order
            true = true.sel({dim: draws[dim].to_numpy()})
        low, high = draws.quantile([0.025, 0.975], dim=("chain", "draw")).to_numpy()
        for k, value in enumerate(np.atleast_1d(true.to_numpy())):
            rows.append(
                (
                    seed,
                    f"{parameter.name} {k}",
                    np.atleast_1d(low)[k],
                    value,
                    np.atleast_1d(high)[k],
                )
            )
    return pd.DataFrame(rows, columns=["seed", "parameter", "low", "truth", "high"])


@pytest.mark.slow
def test_published_coefficients_are_recovered():
    """Twelve runs, four replay ratios, three schedules, from the published fit of the paper."""
    tables, bad = [], {}
    for seed in SEEDS:
        simulated = simulate_study(seed=seed)
        study = simulated.study
        assert len(study.cpt_runs) == 12
        assert len({study.run(name).replay_ratio for name in study.cpt_runs}) == 4
        made = bc.fit(study, simulated.card, seed=seed, progress=False)
        found = {check.name: check for check in made.checks()}
        if found["divergences"].value > 0 or not found["R-hat"].value < 1.01:
            bad[seed] = (found["divergences"].value, found["R-hat"].value, found["R-hat"].advice)
        tables.append(intervals(made, simulated.truth, seed))
    table = pd.concat(tables)
    middle, half = table[["low", "high"]].mean(axis=1), (table["high"] - table["low"]) / 2
    away = (table["truth"] - middle).abs()
    by_seed = [(away <= share * half).groupby(table["seed"]).mean() for share in (1.0, 0.5)]
    assert not bad, bad
    assert by_seed[0].mean() >= LEAST, table[away > half].to_string()
    # Intervals of half the width are found out.
    assert below(by_seed[1]) > 3.0


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["multi_power", "momentum_weighted", "momentum_zeta", "lr_exponent"]
)
def test_parameters_of_annealing_terms_are_recovered(name):
    """Studies of pre-training under three schedules, each drawn from the card's priors."""
    card = parse_card(
        f'name = "{name}"\ndescription = "Recovery."\n[law]\nannealing = "{name}"\n[noise]\n'
    )
    ranks = bc.calibrate(card, n_simulations=STUDIES, n_ranks=199, seed=1).ranks
    ranks = ranks[~ranks["quantity"].str.startswith("final")]
    inside, narrow = (
        ranks[column].between(5, 194).groupby(ranks["simulation"]).mean()
        for column in ("rank", "control")
    )
    assert inside.mean() >= LEAST, inside.to_string()
    # Posteriors of half the width are found out.
    assert below(narrow) > 3.0
