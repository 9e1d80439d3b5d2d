"""Size of each term of the law for one run, from the parameters of its domain and target."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from bayescpt.laws import annealing, base, replay, shift

# Parameters that the terms of one run take, each by domain or by (domain, target).
TERM_PARAMETERS = (
    *base.PARAMETERS,
    annealing.ANNEAL,
    annealing.ANNEAL_PT,
    *shift.PARAMETERS,
    *replay.POWER_PARAMETERS,
    replay.KAPPA,
    *replay.EXPONENTIAL_PARAMETERS,
)


def cpt_terms(
    values: Mapping[str, Any],
    effects: Mapping[str, Any],
    ratio: Any,
    is_target: Any,
    unit_drift: Any,
    law: Mapping[str, str],
    xp: Any = np,
) -> dict[str, Any]:
    """Arguments of `expected_loss` for a continual pre-training run.

    Parameters
    ----------
    values : Mapping
        start_level, base_ref, alpha_s1, anneal_ref, shift_ref, onset, beta and the parameters of
        the replay response, of this run's domain and target; arrays that broadcast.
    effects : Mapping
        Effects of the run in nats by term: level, drift, anneal, shift; those it has.
    ratio : array
        Replay ratio.
    is_target : array
        1.0 where the domain is the target of the run, else 0.0.
    unit_drift : array
        Base amplitude that is worth 1 nat at the shift's reference area.
    law : Mapping
        Component by term, as in a card.
    xp : module
        ``numpy`` or ``pytensor.tensor``.

    Returns
    -------
    dict
        level, base_ref, alpha, anneal_ref, shift, onset, beta.
    """
    anneal = values["anneal_ref"]
    if law["replay"] == "exponential":
        # Eq. 8 of arXiv 2505.07796: C2 S2cpt exp(a2 r).
        anneal = anneal * xp.exp(values["anneal_replay"] * ratio)
    response, onset = _response(values, ratio, is_target, law, xp)
    return {
        **pt_terms(
            {**values, "level_pt": values["start_level"], "anneal_pt_ref": anneal},
            effects,
            unit_drift,
        ),
        "shift": values["shift_ref"] * response + effects.get("shift", 0.0),
        "onset": onset,
        "beta": values["beta"],
    }


def pt_terms(
    values: Mapping[str, Any], effects: Mapping[str, Any], unit_drift: Any = 1.0
) -> dict[str, Any]:
    """Arguments of `expected_loss` for a pre-training run.

    Parameters
    ----------
    values : Mapping
        level_pt, base_ref, alpha_s1, anneal_pt_ref of the domain; arrays that broadcast.
    effects : Mapping
        Effects of the run in nats by term: level, drift, anneal; those it has.
    unit_drift : array
        Base amplitude that is worth 1 nat of drift.

    Returns
    -------
    dict
        level, base_ref, alpha, anneal_ref.
    """
    return {
        "level": values["level_pt"] + effects.get("level", 0.0),
        "base_ref": values["base_ref"] + effects.get("drift", 0.0) * unit_drift,
        "alpha": values["alpha_s1"],
        "anneal_ref": values["anneal_pt_ref"] + effects.get("anneal", 0.0),
    }


def _response(
    values: Mapping[str, Any], ratio: Any, is_target: Any, law: Mapping[str, str], xp: Any
) -> tuple[Any, Any]:
    """Part of the no-replay shift left at the reference area, and the onset."""
    onset = values["onset"]
    if law["replay"] == "exponential":
        return replay.exponential_response(ratio, values["replay_rate"], xp), onset
    if law["replay"] == "none":
        return 1.0, onset
    gamma, eps = values["replay_gamma"], values["replay_eps"]
    if law["replay"] == "own_share":
        return replay.power_response(ratio, is_target, gamma, eps, xp), onset
    kappa, beta = values["share_kappa"], values["beta"]
    return replay.own_tokens_response(ratio, is_target, gamma, eps, kappa, onset, beta, xp)
