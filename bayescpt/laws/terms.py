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
    annealing.REWARM,
    shift.JUMP,
    *shift.PARAMETERS,
    *replay.POWER_PARAMETERS,
    replay.KAPPA,
    replay.SHARE_GAMMA,
    *replay.EXPONENTIAL_PARAMETERS,
)
# Those that all runs and domains share.
SHARED_PARAMETERS = (shift.PEAK_EXPONENT, shift.SPEED_EXPONENT)


def cpt_terms(
    values: Mapping[str, Any],
    ratio: Any,
    is_target: Any,
    law: Mapping[str, str],
    xp: Any = np,
    rise: Any = 0.0,
    log_peak: Any = 0.0,
) -> dict[str, Any]:
    """Arguments of `expected_loss` for a continual pre-training run.

    Parameters
    ----------
    values : Mapping
        start_level, base_ref, alpha_s1, anneal_ref, shift_ref, onset, beta and the parameters of
        the replay response, of this run's domain and target; arrays that broadcast.
    ratio : array
        Replay ratio.
    is_target : array
        1.0 where the domain is the target of the run, else 0.0.
    law : Mapping
        Component by term, as in a card.
    xp : module
        ``numpy`` or ``pytensor.tensor``.
    rise, log_peak : array
        `bayescpt.laws.features.warming`.

    Returns
    -------
    dict
        level, base_ref, alpha, anneal_ref, shift, onset, beta and, under ``memory``, gamma, keep.
    """
    anneal = values["anneal_ref"]
    if law["replay"] == "exponential":
        # Eq. 8 of arXiv 2505.07796: C2 S2cpt exp(a2 r).
        anneal = anneal * xp.exp(values["anneal_replay"] * ratio)
    response, onset = _response(values, ratio, is_target, law, xp, log_peak)
    terms = {
        **pt_terms({**values, "level_pt": values["start_level"], "anneal_pt_ref": anneal}),
        "shift": values["shift_ref"] * response,
        "onset": onset,
        "beta": values["beta"],
    }
    if "rewarm_ref" in values:
        terms["level"] = terms["level"] + values["rewarm_ref"] * rise + values["jump"]
    if law["replay"] == "memory":
        other = 1.0 - is_target
        terms["shift"] = terms["shift"] * xp.exp(values["shift_peak"] * log_peak * other)
        terms["gamma"] = other * values["share_gamma"] - is_target
        terms["keep"] = other * ratio
    return terms


def pt_terms(values: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of `expected_loss` for a pre-training run.

    Parameters
    ----------
    values : Mapping
        level_pt, base_ref, alpha_s1, anneal_pt_ref of the domain; arrays that broadcast.

    Returns
    -------
    dict
        level, base_ref, alpha, anneal_ref.
    """
    return {
        "level": values["level_pt"],
        "base_ref": values["base_ref"],
        "alpha": values["alpha_s1"],
        "anneal_ref": values["anneal_pt_ref"],
    }


def _response(
    values: Mapping[str, Any],
    ratio: Any,
    is_target: Any,
    law: Mapping[str, str],
    xp: Any,
    log_peak: Any,
) -> tuple[Any, Any]:
    """Part of the no-replay shift left at the reference area, and the onset."""
    onset = values["onset"]
    if law["replay"] == "exponential":
        return replay.exponential_response(ratio, values["replay_rate"], xp), onset
    if law["replay"] == "none":
        return 1.0, onset
    if law["replay"] == "memory":
        kappa, beta = values["share_kappa"], values["beta"]
        speed = xp.exp(values["speed_peak"] * log_peak)
        return replay.own_tokens_growth(ratio, is_target, kappa, onset, beta, xp, speed)
    gamma, eps = values["replay_gamma"], values["replay_eps"]
    return replay.power_response(ratio, is_target, gamma, eps, xp), onset
