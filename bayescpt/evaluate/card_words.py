"""What a comparison of cards tells, and what it cannot, in sentences."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bayescpt.evaluate.card_scores import CardScores

# A difference below this many of its standard errors may be chance.
CLEAR = 2.0
# With fewer held-out runs, standard errors over runs are themselves mostly chance.
FEW_RUNS = 5
# A card with a coverage further than this below .9 has bands that are too narrow.
NARROW = 0.1


def card_sentences(scores: CardScores, prior: float) -> list[str]:
    """Sentences on a comparison of cards.

    Parameters
    ----------
    scores : CardScores
        The scores.
    prior : float
        Strength of the prior on the weights, runs.

    Returns
    -------
    list of str
        The verdict first, then cautions.
    """
    table, by_run = scores.table, scores.by_run
    n_runs = len(by_run)
    same = {label for group in scores.same for label in group[1:]}
    distinct = table.drop(index=[label for label in table.index if label in same])
    out = []
    if len(distinct) > 1:
        out += _verdict(distinct, by_run)
    out += [f"{' and '.join(group)} forecast the same and share their weight" for group in
            scores.same]  # fmt: skip
    n_cards = len(table)
    low, high = prior / n_cards / (n_runs + prior), (n_runs + prior / n_cards) / (n_runs + prior)
    out.append(
        f"the weights rest on {n_runs} held-out run{'s' * (n_runs != 1)} and a prior worth "
        f"{prior:g}, divided evenly: none can be below {low:.2f} or above {high:.2f}"
    )
    if n_runs < FEW_RUNS:
        out.append(
            f"{n_runs} held-out run{'s' * (n_runs != 1)} cannot rank cards: read the standard "
            "errors as lower limits, and add pilots"
        )
    out += [
        f"{label}: its 90% bands hold {row['coverage_90']:.0%} of the held-out losses, too few; "
        "its weight in the ensemble narrows the bands"
        for label, row in distinct.iterrows()
        if row["coverage_90"] < 0.9 - max(NARROW, CLEAR * np.nan_to_num(row["coverage_90_se"]))
    ]
    return [*out, *_of_mixture(scores, len(distinct))]


def _verdict(table: pd.DataFrame, by_run: pd.DataFrame) -> list[str]:
    """Which cards are worse than the best, and which the data cannot tell from it."""
    best = str(table.index[0])
    apart: list[str] = []
    alike: list[str] = []
    for label, row in table.iloc[1:].iterrows():
        ahead = int((by_run[best] > by_run[label]).sum())
        text = (
            f"{label} (behind by {row['behind']:.2f} ± {row['behind_se']:.2f} nats of log score, "
            f"in {ahead} of {len(by_run)} runs)"
        )
        clear = row["behind"] > CLEAR * row["behind_se"]
        (apart if clear else alike).append(text)
    out = []
    if apart:
        out.append(f"{best} forecasts held-out runs better than {', '.join(apart)}")
    if alike:
        out.append(
            f"the data cannot tell {best} apart from {', '.join(alike)}: do not choose one of them "
            "by these scores; the ensemble keeps them all"
        )
    return out


def _of_mixture(scores: CardScores, n_distinct: int) -> list[str]:
    if n_distinct < 2:
        return []
    mixed = scores.stacked
    gap, error = float(mixed["crps_behind"]), float(mixed["crps_behind_se"])
    ahead = "below" if gap < 0 else "above"
    return [
        f"the stacked ensemble, weighted without the run that it forecasts, has a CRPS "
        f"{abs(gap):.4f} ± {error:.4f} nats {ahead} that of the best card ({mixed['best']}); its "
        f"90% bands hold {mixed['coverage_90']:.0%} of the losses, those of {mixed['best']} "
        f"{scores.table['coverage_90'][mixed['best']]:.0%}"
    ]
