"""Size of the effects of new runs: near the pilots, and further away."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bayescpt.forecast.posterior import Draws
from bayescpt.laws.trajectory import Trajectory
from bayescpt.laws.view import View

Array = NDArray[np.float64]

# Where the noise is small, the course of a curve can be wrong by a share of its own size: of the
# base term in pre-training, of the shift in CPT. Judged by leaving out each of the three training
# runs of two real studies: interval score .026 and .025 (25M, 100M), against .028 and .032 without
# a share, .033 and .028 with twice as much. The noise of the small CPT study hides what this is
# there: 1% is too much (90% bands hold 97%), .25% widens its bands by a fiftieth.
COURSE_SHARE = {"pt": 0.01, "cpt": 0.0025}


def effect_columns(draws: Draws, view: View) -> Array:
    """What an effect of 1 nat does to the loss, by the card's effects.

    Parameters
    ----------
    draws : Draws
        Posterior.
    view : View
        The trajectory at n steps.

    Returns
    -------
    ndarray, shape (effects, n)
    """

    def _columns() -> Array:
        known = (draws.card.law.effects[name] for name in draws.card.run_effects)
        columns = [effect.column(term, view) for term, effect in known]
        return np.array(columns).reshape(len(columns), view.steps.size)

    found: Array = view.shared("effects", _columns)
    return found


def groups_of(draws: Draws) -> list[str]:
    """Group of each of the card's effects: those of one share the ratio of size to unit.

    Parameters
    ----------
    draws : Draws
        Posterior.

    Returns
    -------
    list of str
    """
    return [draws.card.law.effects[name][1].group for name in draws.card.run_effects]


def distinct(groups: Sequence[str]) -> list[str]:
    """Groups, each once, in order.

    Parameters
    ----------
    groups : sequence of str
        From `groups_of`.

    Returns
    -------
    list of str
    """
    return list(dict.fromkeys(groups))


def effect_spread(draws: Draws, trajectory: Trajectory, domain: str, distance: float) -> Array:
    """Standard deviation of the effects of a run that was not fitted.

    Parameters
    ----------
    draws : Draws
        Posterior.
    trajectory : Trajectory
        The run.
    domain : str
        Evaluated domain.
    distance : float
        From `Draws.extrapolation`.

    Returns
    -------
    ndarray, shape (effects, draws)
        Nats.
    """
    key = ("effects", trajectory.phase, trajectory.target, domain)
    squares = draws.cache.get(key)
    if squares is None:
        # The same for all plans but for their distance.
        names, n_domains = draws.card.run_effects, len(draws.labels.domain)
        groups, d = groups_of(draws), draws.labels.domain.index(domain)
        at = [distinct(groups).index(group) * n_domains + d for group in groups]
        unit = np.stack([effect_unit(draws, name, trajectory, domain) for name in names])
        squares = [
            (np.stack([draws.value(part, k) for k in at]) * unit) ** 2
            for part in ("discrepancy_near", "discrepancy_far")
        ]
        draws.cache[key] = squares
    near, far = squares
    spread: Array = distance**2 * far
    spread += near
    return np.sqrt(spread, out=spread)


def effect_unit(draws: Draws, name: str, trajectory: Trajectory, domain: str) -> Array:
    """Size that an effect is measured by: a share of the law's term, and the noise beside it.

    Parameters
    ----------
    draws : Draws
        Posterior.
    name : str
        Effect.
    trajectory : Trajectory
        The run.
    domain : str
        Evaluated domain.

    Returns
    -------
    ndarray, shape (draws,)
        Nats.
    """
    _, effect = draws.card.law.effects[name]
    values = draws.parameters(trajectory, domain)
    if effect.share is not None and effect.size is not None:
        return np.asarray(effect.share * values[effect.size[trajectory.phase]])
    seen = {"is_cpt": float(trajectory.is_cpt)}
    noise = draws.card.noise.coefficients(draws.noise_parameters(domain), seen)["sigma"]
    course = draws.card.law.course(trajectory.is_cpt)
    size = 0.0 if course is None else values[course]
    return np.hypot(noise, COURSE_SHARE[trajectory.phase] * size)
