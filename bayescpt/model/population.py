"""Parameters whose entries are drawn from a population, such as one of targets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bayescpt.model.labels import Labels

if TYPE_CHECKING:
    from bayescpt.data import Study
    from bayescpt.model.card import Card

Floats = NDArray[np.float64]


def pair_arrays(labels: Labels, covariate: Floats) -> dict[str, NDArray[np.generic]]:
    """What populations read of each pair.

    Parameters
    ----------
    labels : Labels
        Labels of a fit.
    covariate : ndarray, shape (pairs,)
        From `target_covariates`.

    Returns
    -------
    dict of ndarray, shape (pairs,)
        ``side`` (index into `Labels.side_names`), ``is_target`` and ``covariate``.
    """
    sides = labels.sides
    return {
        "side": np.array([labels.side_names.index(side) for side in sides], dtype=np.int64),
        "is_target": np.array([float(side == "target") for side in sides]),
        "covariate": covariate,
    }


def population(
    name: str, values: Mapping[str, Any], card: Card, pairs: Mapping[str, Any], xp: Any = np
) -> tuple[Any, Any]:
    """Mean and standard deviation of the entries of a pooled parameter.

    Parameters
    ----------
    name : str
        A parameter in ``card.law.pooled``.
    values : Mapping
        Values of the parameters that describe the population; draws first, sides last.
    card : Card
        The card.
    pairs : Mapping of str to array, shape (pairs,)
        From `pair_arrays`.
    xp : module
        ``numpy`` or ``pytensor.tensor``.

    Returns
    -------
    mean, sd : array
        Of the parameter, or of its logarithm where its prior is log-normal; pairs last, or one
        entry for all domains.
    """
    term, args = card.law.pooled[name], card.priors[name].args
    own = {}
    for parameter in term.parameters:
        value = values[parameter.name]
        if "side" in parameter.dims:
            own[parameter.name] = value[..., pairs["side"]]
        else:
            own[parameter.name] = value[..., None] if np.ndim(value) else value
    return term.population(name, own, pairs, args["mu"], args["sigma"], xp)


def target_covariates(study: Study, labels: Labels) -> Floats:
    """Covariate of the target of each pair.

    The distance of a target is the one that the study gives, or else what the loss of the start
    checkpoints on it is above that on the general set, nats, as the mean over the checkpoints where
    both were measured. The covariate is the distance less its mean over the targets with fitted
    runs, over their root mean square.

    Parameters
    ----------
    study : Study
        The study.
    labels : Labels
        Labels of its rows.

    Returns
    -------
    ndarray, shape (pairs,)
        0 for a target whose distance is not known.
    """
    targets = dict.fromkeys(target for _, target in labels.pair)
    distance: Mapping[str, float | None] = study.distances or {
        name: _excess(study, labels, name) for name in targets
    }
    trained = {study.run(run).domain for run in labels.run}
    known = [value for name, value in distance.items() if name in trained and value is not None]
    if not known:
        return np.zeros(len(labels.pair))
    middle, size = np.mean(known), np.sqrt(np.mean(np.square(known)))
    found = [distance.get(target) for _, target in labels.pair]
    return np.array([0.0 if not size or x is None else (x - middle) / size for x in found])


def _excess(study: Study, labels: Labels, target: str) -> float | None:
    """Mean loss of the start checkpoints on a target above that on the general set, nats."""
    found = []
    for start in labels.checkpoint:
        ours = study.checkpoint_loss(start, target)
        general = None if study.general is None else study.checkpoint_loss(start, study.general)
        if ours is not None and general is not None:
            found.append(ours - general)
    return float(np.mean(found)) if found else None
