"""Reference problems: simulated studies of a fixed seed, one for each shipped card."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd

from bayescpt.data import Study
from bayescpt.evaluate import simulate_study
from bayescpt.inference.compile import pad
from bayescpt.model.card import Card
from bayescpt.model.card_file import load_card
from bayescpt.model.rows import Rows, make_rows

CARDS = ("annealing", "cpt", "cpt_momentum", "cpt_replay")
DEFAULT = "cpt_replay"
SEED = 20260101
PEAKS = (1e-4, 2e-4, 4e-4)


@cache
def study(card: str = DEFAULT, seed: int = SEED) -> Study:
    """Study of 12 runs that the card describes, with about 1,088 rows.

    Four replay ratios by three schedules, each with a general and a target curve. For ``cpt``
    replay changes nothing, and the pre-training run, whose rows that card fits, is measured
    seldom. For ``annealing`` there are twelve pre-training runs on one domain: four schedules by
    three peak LRs.
    """
    if card == "annealing":
        return pretraining(seed)
    if card == "cpt":
        return simulate_study(seed=seed, replay="none", eval_every=120, pt_eval_every=800).study
    return simulate_study(seed=seed, eval_every=112).study


def pretraining(seed: int) -> Study:
    """Twelve pre-training runs of one law."""
    kinds = ("constant", "wsd", "cosine", "linear")
    curves, runs, lrs = [], [], {}
    for k, peak in enumerate(PEAKS):
        made = simulate_study(
            seed=seed + k, continual=False, cpt_schedules=kinds, peak_lr=peak, pt_eval_every=216
        ).study
        prefix = f"lr{peak:g}_"
        curves.append(made.curves.assign(run=prefix + made.curves["run"]))
        runs.append(made.runs.assign(run=prefix + made.runs["run"]))
        lrs |= {prefix + name: schedule for name, schedule in made.lrs.items()}
    return Study.from_frames(
        pd.concat(curves), pd.concat(runs), lrs, name="pretraining", general=made.general
    )


def sized(eval_every: int = 112, n_replays: int = 4, seed: int = SEED) -> Study:
    """Study for `DEFAULT` of another length, or of four schedules by another number of ratios."""
    ratios = [round(ratio, 4) for ratio in np.linspace(0.0, 0.6, n_replays)]
    kinds = ("constant", "wsd", "cosine", "linear")
    return simulate_study(
        seed=seed, eval_every=eval_every, replays=ratios, cpt_schedules=kinds
    ).study


def rows(card: str = DEFAULT) -> tuple[Rows, Card]:
    """Padded arrays of the reference study and the card, as a fit uses them."""
    read = load_card(card)
    return pad(make_rows(study(card), read), read), read
