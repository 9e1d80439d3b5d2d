"""The law: expected loss of every row, from values per segment and features per row."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayescpt.laws.annealing import annealing_drop
from bayescpt.laws.base import base_drop
from bayescpt.laws.shift import shift_growth


def expected_loss(
    level: Any,
    base_ref: Any,
    alpha: Any,
    anneal_ref: Any,
    log_area: Any,
    log_area_start: Any,
    anneal: Any,
    shift: Any = None,
    onset: Any = None,
    beta: Any = None,
    shift_area: Any = None,
    gamma: Any = -1.0,
    keep: Any = 0.0,
    xp: Any = np,
) -> Any:
    """Expected loss: level + base drop - annealing drop + distribution shift.

    arXiv 2505.07796 Eq. 4 in quantities measured in nats at reference points. Every argument is
    an array over rows (or broadcasts to it); the same function is evaluated on NumPy arrays,
    xarray objects and PyTensor variables.

    Parameters
    ----------
    level : array
        Loss at the anchor: the start checkpoint of a CPT run; in pre-training the loss at S1ref
        before any annealing. Nats.
    base_ref, alpha : array
        See `base_drop`.
    anneal_ref : array
        See `annealing_drop`.
    log_area, log_area_start : array
        log forward area over S1ref, at the row and at the anchor.
    anneal : array
        Scaled annealing area at the row.
    shift : array, optional
        Shift at the reference area with this run's replay, nats: shift_ref times the response.
        Without it there is no shift term (pre-training only).
    onset, beta : array, optional
        See `shift_growth`.
    shift_area : array, optional
        S1cpt over the shift's reference area; 0 in pre-training.
    gamma, keep : array, optional
        See `shift_growth`; by default Eq. 4.
    xp : module
        ``numpy`` (also for xarray objects) or ``pytensor.tensor``.

    Returns
    -------
    array
        Nats per token.
    """
    trained = (
        level
        + base_drop(log_area, log_area_start, base_ref, alpha, xp)
        - annealing_drop(anneal, anneal_ref)
    )
    if shift is None:
        return trained
    return trained + shift * shift_growth(shift_area, onset, beta, xp, gamma, keep)
