"""Losses of the start checkpoints of continual pre-training runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bayescpt.data.sizes import same_size
from bayescpt.laws.open_base import open_area
from bayescpt.laws.points import References
from bayescpt.laws.trajectory import run_trajectory
from bayescpt.laws.view import View
from bayescpt.model.labels import Labels

if TYPE_CHECKING:
    from bayescpt.data import Study
    from bayescpt.model.card import Card

Floats = NDArray[np.float64]

# In nats: typical change of the loss in the first steps of a run.
UNMEASURED_SD = 1.0
# Source of the level of a start checkpoint on a domain: ``source`` in `known_starts`.
MEASURED, FIRST_ROW, NOT_AT_ALL, FROM_PRETRAINING = 0.0, 1.0, 2.0, 3.0
# In nats: placeholder for a level that no row depends on.
PLACEHOLDER = 3.0


def known_starts(
    study: Study,
    card: Card,
    labels: Labels,
    refs: References,
    level: NDArray[np.int64],
    loss: Floats,
) -> dict[str, Floats]:
    """Levels of the start checkpoints and their sources.

    Parameters
    ----------
    study : Study
        Study with the checkpoints and their measured losses.
    card : Card
        Card with the standard deviation of a level around a measured loss.
    labels : Labels
        Checkpoints and domains.
    refs : References
        Reference points.
    level : ndarray of int, shape (N,)
        Level of every row; -1 in pre-training.
    loss : ndarray, shape (N,)
        Losses of the rows.

    Returns
    -------
    dict of ndarray
        ``loss``, ``sd`` and ``source`` (where the level comes from), shape (checkpoint x domain,);
        on the paper's scale also ``feature_*``, the law's features at the end of pre-training,
        shape (checkpoint,) or (checkpoint, J).
    """
    n_levels = len(labels.level_names)
    out = {
        "loss": np.full(n_levels, PLACEHOLDER),
        "sd": np.full(n_levels, UNMEASURED_SD),
        "source": np.full(n_levels, NOT_AT_ALL),
    }
    names = [(start, domain) for start in labels.checkpoint for domain in labels.domain]
    for k, (start, domain) in enumerate(names):
        measured = study.checkpoint_loss(start, domain)
        here = np.flatnonzero(level == k)
        if measured is not None:
            out["loss"][k], out["sd"][k], out["source"][k] = measured, card.level_sd, MEASURED
        elif here.size:
            # The first row of a run from the checkpoint gives a rough value.
            out["loss"][k], out["source"][k] = loss[here[0]], FIRST_ROW
    if card.law.paper:
        # L0 + A S1^-alpha - C1 S2, regardless of measurements.
        out["source"] = np.full(n_levels, FROM_PRETRAINING)
        out |= _end_features(study, card, labels, refs)
    return out


def start_shares(segment: Mapping[str, NDArray[np.generic]], n_levels: int) -> Floats:
    """Weights whose products with the levels are the mean level of the peers of each.

    Parameters
    ----------
    segment : Mapping of str to ndarray, shape (S,)
        Segments, see `bayescpt.model.rows.Rows`.
    n_levels : int
        Number of levels, those that no row depends on included.

    Returns
    -------
    ndarray, shape (levels, levels)
        The peers of a level are those of the fitted runs on the same domain, of the same model size
        where the law has a term for it. They count the same; 0 for a level that no row depends on.

    Examples
    --------
    >>> segment = {
    ...     "is_cpt": np.ones(3),
    ...     "level": np.array([0, 1, 2]),
    ...     "domain": np.array([0, 1, 0]),
    ... }
    >>> start_shares(segment, 4).tolist()
    [[0.5, 0.0, 0.5, 0.0], [0.0, 1.0, 0.0, 0.0], [0.5, 0.0, 0.5, 0.0], [0.0, 0.0, 0.0, 0.0]]
    """
    cpt = np.asarray(segment["is_cpt"]) > 0
    level = np.asarray(segment["level"])[cpt]
    domain, size = np.full((2, n_levels), np.nan)
    domain[level] = np.asarray(segment["domain"])[cpt]
    size[level] = np.asarray(segment["log_size"])[cpt] if "log_size" in segment else 0.0
    same = ((domain[:, None] == domain) & same_size(size[:, None], size)).astype(float)
    return np.asarray(same / np.maximum(same.sum(axis=1, keepdims=True), 1.0))


def start_notes(labels: Labels, start: dict[str, Floats]) -> list[str]:
    """Describe the levels of start checkpoints that were not measured.

    Parameters
    ----------
    labels : Labels
        Checkpoints and domains.
    start : dict of ndarray
        Output of `known_starts`.

    Returns
    -------
    list of str
        One sentence per level; levels that no run depends on are omitted.
    """
    notes = []
    for name, value, source in zip(labels.level_names, start["loss"], start["source"], strict=True):
        checkpoint, _, domain = name.partition("|")
        if source == FIRST_ROW:
            notes.append(
                f"the loss of start checkpoint {checkpoint!r} on {domain!r} was not measured: "
                f"its prior is the first loss of a run from there, {value:.3g}, with a standard "
                f"deviation of {UNMEASURED_SD:g} nat; a loss at step 0 would narrow the bands"
            )
    return notes


def base_notes(study: Study, labels: Labels, refs: References) -> list[str]:
    """Describe the forward areas that open bases are assumed to have spent.

    Parameters
    ----------
    study : Study
        The fitted study.
    labels : Labels
        Runs of the fit.
    refs : References
        Reference points.

    Returns
    -------
    list of str
        One sentence per base without a schedule.
    """
    notes = []
    paths = [run_trajectory(study, name, refs.warmup) for name in labels.run]
    for base in study.open_bases:
        path = next((p for p in paths if p.is_open and study.lineage(p.name)[0] == base), None)
        if path is None:
            continue
        area, pilot = open_area(path, refs["shift_area"], refs["pilot_lr"]), refs["shift_area"]
        low, high = (area.center * np.exp(z * area.sd) / pilot for z in (-1.645, 1.645))
        known = (
            "from its steps or tokens" if path.open_tokens_known
            else "from its size" if path.open_updates
            else f"give its tokens in runs.csv (run {base!r}) to narrow it"
        )  # fmt: skip
        notes.append(
            f"the pre-training schedule of base {base!r} is not known: its forward area is inferred"
            f", with a 90% prior of {low:.3g} to {high:.3g} times that of the median pilot "
            f"({known}), and it is taken as fully annealed"
        )
    return notes


def _end_features(
    study: Study, card: Card, labels: Labels, refs: References
) -> dict[str, NDArray[Any]]:
    """Features of the law at the last steps of the checkpoints' runs."""
    features: dict[str, list[Any]] = {}
    for name in labels.checkpoint:
        # On the curve of the run itself, regardless of its start.
        path = replace(run_trajectory(study, name, refs.warmup), phase="pt")
        view = View(path, np.array([path.n_steps]), refs)
        for key, value in card.law.features(view, False).items():
            features.setdefault(f"feature_{key}", []).append(
                value if np.ndim(value) == 0 else value[0]
            )
    return {key: np.array(values, dtype=float) for key, values in features.items()}
