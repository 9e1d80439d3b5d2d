"""Distances of targets from the data of the base, which users measure."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bayescpt.errors import StudyError


def check_distances(
    given: Mapping[str, float] | None, targets: Collection[str]
) -> dict[str, float]:
    """Check the distances that a study names.

    Parameters
    ----------
    given : mapping of str to float, or None
        Distance by target, in any unit; None for none.
    targets : collection of str
        Targets of the study's runs, planned ones included.

    Returns
    -------
    dict of str to float

    Raises
    ------
    StudyError
        If it is no mapping, a value is no finite number of at least 0, a name is no target, or a
        target has none.

    Examples
    --------
    >>> check_distances({"german": 1.2, "code": 0.4}, ["german", "code"])
    {'german': 1.2, 'code': 0.4}
    """
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise StudyError(
            f"study.toml: distances is {given!r}; expected a table of targets, such as german = 1.2"
        )
    for name, value in given.items():
        if name not in targets:
            known = ", ".join(targets) or "none"
            raise StudyError(
                f"study.toml: distances has {name!r}, on which no run trains; targets are {known}"
            )
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not math.isfinite(value) or value < 0:
            raise StudyError(
                f"study.toml: distances.{name} is {value!r}; expected a number of at least 0"
            )
    if given and (missing := [name for name in targets if name not in given]):
        raise StudyError(
            f"study.toml: distances has no {missing[0]!r}: give that of every target, or none"
        )
    return {str(name): float(value) for name, value in given.items()}


def mixture_distance(
    vectors: ArrayLike, shares: ArrayLike, validation: ArrayLike, delta: float = 0.1
) -> float:
    """Huber distance of a mixture of data sets from a validation set.

    After Domain2Vec (arXiv 2506.10952): a data set is the vector v of mean probabilities that a
    classifier gives to its documents, over kinds of text; a mixture of the shares r has the vector
    V r, and is the further from a validation set the larger the Huber distance of V r and v is.

    Parameters
    ----------
    vectors : array_like, shape (sets, kinds)
        Mean probabilities of each data set of the mixture.
    shares : array_like, shape (sets,)
        Shares of the mixture, which sum to 1.
    validation : array_like, shape (kinds,)
        Mean probabilities of the validation set.
    delta : float
        Difference of a probability above which it counts linearly, and not squared.

    Returns
    -------
    float
        Sum over kinds, of differences d, of d^2 / 2, or of delta (d - delta / 2) above delta; 0 for
        the same data.

    Raises
    ------
    StudyError
        If shapes do not match, a value is no probability, shares do not sum to 1, or `delta` is not
        above 0.

    Examples
    --------
    >>> web, code = [0.7, 0.3, 0.0], [0.1, 0.0, 0.9]
    >>> round(mixture_distance([web], [1.0], code), 4)
    0.165
    >>> mixture_distance([web, code], [0.0, 1.0], code)
    0.0
    """
    sets = _probabilities(vectors, "vectors")
    parts, aim = _probabilities(shares, "shares"), _probabilities(validation, "validation")
    if sets.ndim != 2 or parts.shape != sets.shape[:1] or aim.shape != sets.shape[1:]:
        raise StudyError(
            f"vectors has shape {sets.shape}, shares {parts.shape}, validation {aim.shape}; "
            "expected (sets, kinds), (sets,) and (kinds,)"
        )
    if abs(parts.sum() - 1.0) > 1e-6:
        raise StudyError(f"shares sum to {parts.sum():g}; expected 1")
    if not delta > 0:
        raise StudyError(f"delta is {delta!r}; expected a number above 0")
    apart = np.abs(parts @ sets - aim)
    far = apart > delta
    return float(np.where(far, delta * (apart - delta / 2.0), apart**2 / 2.0).sum())


def _probabilities(given: ArrayLike, name: str) -> NDArray[np.float64]:
    try:
        values = np.asarray(given, dtype=float)
    except (TypeError, ValueError):
        raise StudyError(f"{name} is {given!r}; expected numbers from 0 to 1") from None
    bad = values[~((values >= 0) & (values <= 1))]
    if bad.size:
        raise StudyError(f"{name} has {bad.ravel()[0]:g}; expected numbers from 0 to 1")
    return values
