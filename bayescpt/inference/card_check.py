"""What of a study a card's law has no term for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from bayescpt.data.final_losses import is_final
from bayescpt.data.sizes import SAME_SIZE, model_sizes
from bayescpt.errors import BayescptError
from bayescpt.laws.observed import observed_trajectory
from bayescpt.laws.points import References
from bayescpt.laws.trajectory import Trajectory
from bayescpt.laws.view import View
from bayescpt.model.card import Card
from bayescpt.model.card_file import shipped_cards
from bayescpt.model.final_card import default_final_card, final_cards, load_final_card
from bayescpt.model.final_rows import make_final_rows
from bayescpt.model.fitted_card import fitted_card
from bayescpt.model.rows import Rows, make_rows

if TYPE_CHECKING:
    from bayescpt.data import Run, Study

# Up to here the priors that the fleet taught do better than the pilots alone: docs/evidence.md.
FEW_PILOTS = 8
# With more, bands of `cpt_replay` are true only where at least this share of them are alike: of one
# peak LR, within a tenth, and a constant replay ratio. See docs/evidence.md.
MOST, SAME_PEAK = 2.0 / 3.0, 0.1
# Fewer do not tell how targets of a base differ.
SEVERAL_TARGETS = 3
# Replay ratios between which a law with a replay response differs.
FEW, MANY = 0.1, 0.6
# Value of every parameter, within its range: responses are neither 0 nor saturated there.
ANYWHERE = 0.37


def default_card(study: Study) -> str:
    """Name of the shipped card that suits a study's runs.

    Parameters
    ----------
    study : Study
        The study.

    Returns
    -------
    str
        ``annealing`` if no CPT run has a curve, ``cpt`` if no CPT run replays, ``cpt_replay`` with
        more than `FEW_PILOTS` pilots of which two thirds have one peak LR and a constant replay
        ratio, else ``cpt_fade``; ``cpt_targets`` where a planned run has a target that no pilot
        trains on, with at least `SEVERAL_TARGETS` targets; ``cpt_fade_sizes`` if the bases have
        several sizes.
    """
    pilots = [name for name in study.cpt_runs if study.is_observed(name)]
    if not pilots:
        return "annealing"
    # Planned runs and bases count too: the law must cover what will be forecast.
    if len(model_sizes(study)) > 1:
        return "cpt_fade_sizes"
    ratios = [np.max(study.run(name).replay_ratio) for name in study.cpt_runs]
    if max(ratios) == 0:
        return "cpt"
    untried = set(study.targets) - {study.run(name).domain for name in pilots}
    if untried and len(study.targets) >= SEVERAL_TARGETS:
        return "cpt_targets"
    few = len(pilots) <= FEW_PILOTS
    return "cpt_fade" if few or not _alike([study.run(name) for name in pilots]) else "cpt_replay"


def _alike(pilots: Sequence[Run]) -> bool:
    """Whether most pilots have a constant replay ratio and one peak LR."""
    peaks = np.array([run.schedule.peak_lr if run.schedule else np.nan for run in pilots])
    constant = np.array([np.ptp(run.replay_ratio) == 0.0 for run in pilots])
    of_one = np.abs(np.subtract.outer(peaks, peaks)) <= SAME_PEAK * peaks
    return bool((of_one & constant[:, None]).mean(axis=0).max() >= MOST)


def suitable_cards(study: Study) -> list[str]:
    """Shipped cards whose law has a term for what the runs of a study differ by.

    Parameters
    ----------
    study : Study
        The study.

    Returns
    -------
    list of str
        The default card first.
    """
    if is_final(study):
        default, names = default_final_card(study), final_cards()
        return [default, *(name for name in names if name != default and _fits(study, name))]
    default = default_card(study)
    others = [name for name in shipped_cards() if name != default and _suits(study, name)]
    return [default, *others]


def _suits(study: Study, name: str) -> bool:
    try:
        card = fitted_card(study, name)
        if card.continual != fitted_card(study, default_card(study)).continual:
            return False
        return not card_gaps(card, study, make_rows(study, card))
    except BayescptError:
        return False


def _fits(study: Study, name: str) -> bool:
    try:
        make_final_rows(study, load_final_card(name))
    except BayescptError:
        return False
    return True


def card_gaps(card: Card, study: Study, rows: Rows) -> list[str]:
    """Describe what the fitted runs differ by that the card's law does not respond to.

    Parameters
    ----------
    card : Card
        The card.
    study : Study
        The study.
    rows : Rows
        Its rows under the card.

    Returns
    -------
    list of str
        One sentence per gap, with the shipped card that has the term.
    """
    observed = [name for name in study.cpt_runs if study.is_observed(name)]
    if not card.continual:
        return [
            f"card {card.name!r} describes pre-training only, so that the "
            f"{len(observed)} continual pre-training runs of study {study.name!r} are not fitted: "
            f"use card {default_card(study)!r}"
        ] * bool(observed)
    paths = [observed_trajectory(study, name, card.warmup) for name in rows.labels.run]
    cpt = [path for path in paths if path.is_cpt]
    gaps = []
    ratios = [float(at) for path in cpt for at in (path.replay.min(), path.replay.max())]
    few, many = (np.broadcast_to(ratio, cpt[0].lr.shape) for ratio in (FEW, MANY))
    if min(ratios) < max(ratios) and not _differ(
        card, rows.refs, replace(cpt[0], replay=few), replace(cpt[0], replay=many)
    ):
        gaps.append(
            f"card {card.name!r} has no replay term, but the runs replay {min(ratios):g} to "
            f"{max(ratios):g} of their batches: use card {_with_replay(study)!r}"
        )
    sizes = [path.n_params for path in cpt if path.n_params is not None]
    if sizes and max(sizes) > min(sizes) * (1.0 + SAME_SIZE):
        small, large = (replace(cpt[0], n_params=size) for size in (min(sizes), max(sizes)))
        if not _differ(card, rows.refs, small, large):
            gaps.append(
                f"card {card.name!r} has no term for the model size, but the runs are of models of "
                f"{min(sizes):,.6g} to {max(sizes):,.6g} parameters: use card "
                f"{default_card(study)!r}"
            )
    peak = rows.refs["peak_lr"]
    risen = any(path.lr.max() > (path.start_lr or 0.0) for path in cpt)
    if risen and not _differ(
        card, rows.refs, replace(cpt[0], start_lr=0.0), replace(cpt[0], start_lr=peak)
    ):
        gaps.append(
            f"card {card.name!r} has no re-warm-up term, but the LR of runs rises above that of "
            f"their start checkpoint: use card {_with_replay(study)!r}"
        )
    return gaps


def _with_replay(study: Study) -> str:
    """Shipped card for the study; it has a replay and a re-warm-up term."""
    found = default_card(study)
    return "cpt_replay" if found == "cpt" else found


def _differ(card: Card, refs: References, one: Trajectory, other: Trajectory) -> bool:
    """Whether the law tells two trajectories apart, on any domain."""
    known = card.law.parameters
    drawn = {p.name: np.clip([ANYWHERE], p.lower, p.upper) for p in known}
    if card.law.paper:
        drawn |= card.law.to_reference(drawn, refs)
    weights = card.law.weights(drawn, refs)
    start = np.full((1, 1), 3.0)
    p = {name: value[:, None] for name, value in drawn.items()}
    p |= {"start_level": start, "start_mean": start}

    def _losses(path: Trajectory, is_target: bool) -> np.ndarray:
        view = View(path, np.array([path.n_steps // 2, path.n_steps]), refs)
        f = {
            **card.law.features(view, is_target),
            "is_cpt": 1.0,
            "is_target": float(is_target),
            "replay": view.replay,
        }
        for name, columns in weights.items():
            f[name] = columns @ f[name].T
        return np.asarray(card.law.value(p, f))

    return any(
        not np.allclose(_losses(one, is_target), _losses(other, is_target), rtol=1e-12, atol=1e-12)
        for is_target in (False, True)
    )
