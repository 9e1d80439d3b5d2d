"""Spread of the effects of new runs, near the pilot runs and farther away."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bayescpt.forecast.posterior import Draws
from bayescpt.laws.trajectory import Trajectory
from bayescpt.laws.view import View

Array = NDArray[np.float64]

# Where the noise is small, the error of a curve scales with a share of its size: of the base term
# in pre-training, of the shift in CPT. Chosen by leaving out each of the three training runs of two
# real studies: interval score .026 and .025 (25M, 100M), against .028 and .032 without a share, and
# .033 and .028 with twice the share. In the small CPT study the noise hides this share: 1% is too
# much (90% bands cover 97%), .25% widens its bands by a fiftieth.
COURSE_SHARE = {"pt": 0.01, "cpt": 0.0025}


def effect_columns(draws: Draws, view: View) -> Array:
    """Contribution of an effect of 1 nat to the loss, for each of the card's effects.

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

    shared: Array = view.shared("effects", _columns)
    return shared


def groups_of(draws: Draws) -> list[str]:
    """Group of each of the card's effects; a group shares its ratio of size to unit.

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
    """Distinct groups, in order of first appearance.

    Parameters
    ----------
    groups : sequence of str
        From `groups_of`.

    Returns
    -------
    list of str
    """
    return list(dict.fromkeys(groups))


def effect_spread(
    draws: Draws, trajectory: Trajectory, domain: str, distance: float, left: float = 1.0
) -> Array:
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
        Extrapolation distance, from `Draws.extrapolation`.
    left : float
        Part of the variance near the pilots that fitted runs of like recipes leave, 0 to 1.

    Returns
    -------
    ndarray, shape (effects, draws)
        Nats.
    """
    key = ("effects", trajectory.phase, trajectory.target, trajectory.n_params, domain)
    squares = draws.cache.get(key)
    if squares is None:
        # Shared by all plans, up to their distance.
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
    spread += near if left == 1.0 else left * near
    return np.sqrt(spread, out=spread)


def effect_unit(draws: Draws, name: str, trajectory: Trajectory, domain: str) -> Array:
    """Unit of an effect: its fitted size, or a share of the law's term combined with the noise.

    Parameters
    ----------
    draws : Draws
        Posterior.
    name : str
        Name of the effect.
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
    if draws.card.marginal_effects:
        return effect.ratio * draws.value("run_sd", draws.labels.domain.index(domain))
    values = draws.parameters(trajectory, domain)
    if effect.share is not None and effect.size is not None:
        return np.asarray(effect.share * values[effect.size[trajectory.phase]])
    features = {"is_cpt": float(trajectory.is_cpt)}
    noise = draws.card.noise.coefficients(draws.noise_parameters(domain), features)["sigma"]
    course = draws.card.law.course(trajectory.is_cpt)
    size = 0.0 if course is None else values[course]
    return np.hypot(noise, COURSE_SHARE[trajectory.phase] * size)
