"""Expected losses and noise of the fitted rows, by draw."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bayescpt.forecast.expected import expected_curve
from bayescpt.forecast.noise import noise_scale
from bayescpt.forecast.posterior import Draws
from bayescpt.laws.view import View

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class FittedCurve:
    """A fitted curve under the draws.

    Attributes
    ----------
    rows : ndarray of int, shape (n,)
        Rows of the curve in `Rows`.
    view : View
        Trajectory of its run at the steps of the rows.
    domain : str
        Evaluated domain.
    expected : ndarray, shape (draws, n)
        Expected loss under the law, nats.
    scale : ndarray, shape (draws, n)
        Scale of the noise, nats.
    """

    rows: NDArray[np.int64]
    view: View
    domain: str
    expected: Floats
    scale: Floats


def fitted_means(draws: Draws) -> Iterator[FittedCurve]:
    """Expected losses and noise of the fitted rows, curve by curve.

    Parameters
    ----------
    draws : Draws
        Posterior.

    Yields
    ------
    FittedCurve
        In the order of `Labels.curve`.
    """
    rows = draws.rows
    curve_of = np.asarray(rows.segment["curve"])[rows.row["segment"]]
    views: dict[str, View] = {}
    for c, (run, domain) in enumerate(rows.labels.curve):
        here = np.flatnonzero(curve_of == c)
        steps = np.asarray(rows.row["step"])[here]
        if run not in views or not np.array_equal(views[run].steps, steps):
            # Domains are usually evaluated at the same steps.
            views[run] = View(draws.observed[run], steps, rows.refs)
        view = views[run]
        # Nothing is drawn: the start checkpoint was fitted.
        expected = expected_curve(draws, view, domain, np.random.default_rng(0))
        scale = noise_scale(draws, view.is_cpt, view.fraction)[rows.labels.domain.index(domain)]
        yield FittedCurve(here, view, domain, expected, np.broadcast_to(scale, expected.shape))
