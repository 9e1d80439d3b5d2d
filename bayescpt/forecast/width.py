"""Warnings where a band says less than the losses that were fitted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from bayescpt.forecast.tails import equal_tails

PROB = 0.9


def wide_bands(
    loss: NDArray[np.float64],
    plans: Sequence[str],
    domains: Sequence[str],
    last: Sequence[int | None],
    at: NDArray[np.int64],
    observed: Mapping[str, Sequence[float]],
) -> list[str]:
    """Warn about last losses whose band is wider than all fitted losses of the set lie apart.

    There the pilots hardly tell the loss: anything that they have seen, and more, is inside.

    Parameters
    ----------
    loss : ndarray, shape (plans, domains, draws, steps)
        Realised losses, nats per token.
    plans, domains : sequence of str
        Names.
    last : sequence of int or None
        Step of each plan's last loss; None where it is not among `at`.
    at : ndarray of int, shape (steps,)
        Steps.
    observed : Mapping of str to (float, float)
        Lowest and highest fitted loss by domain, nats.

    Returns
    -------
    list of str
        One sentence per plan and domain.

    Examples
    --------
    >>> loss = np.linspace(2.0, 6.0, 101).reshape(1, 1, 101, 1)
    >>> seen = {"general": (3.0, 3.5)}
    >>> (found,) = wide_bands(loss, ["r0"], ["general"], [40], np.array([40]), seen)
    >>> found.partition(",")[0]
    "plan 'r0': the 90% band of general at step 40 is 3.6 nats wide"
    """
    out = []
    tails = equal_tails(PROB)
    for p, step in enumerate(last):
        if step is None:
            continue
        place = int(np.searchsorted(at, step))
        for d, domain in enumerate(domains):
            if domain not in observed:
                continue
            low, high = np.quantile(loss[p, d, :, place], tails)
            apart = observed[domain][1] - observed[domain][0]
            if high - low > apart:
                out.append(
                    f"plan {plans[p]!r}: the {PROB:.0%} band of {domain} at step {step:,} is "
                    f"{high - low:.2g} nats wide, all fitted losses of the set lie within "
                    f"{apart:.2g}: the pilots hardly tell this loss, run one with a recipe nearer "
                    "to it"
                )
    return out
