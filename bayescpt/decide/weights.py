"""Weights of domains in the weighted loss."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from bayescpt.errors import PlanError


def normalised_weights(weights: Mapping[str, float]) -> dict[str, float]:
    """Return weights of domains scaled to sum to 1.

    Parameters
    ----------
    weights : mapping of str to float
        Weight of each domain's loss, in any unit.

    Returns
    -------
    dict of str to float
        The same domains.

    Raises
    ------
    PlanError
        If a weight is negative or not finite, or none is positive.
    """
    for domain, weight in weights.items():
        if not (np.isfinite(weight) and weight >= 0):
            raise PlanError(
                f"the weight of domain {domain!r} is {weight!r}; it must be finite and not negative"
            )
    total = float(sum(weights.values()))
    if total == 0:
        raise PlanError("the weights are empty or all zero; at least one must be positive")
    return {domain: weight / total for domain, weight in weights.items()}
