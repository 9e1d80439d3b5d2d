"""Which losses of long curves are fitted: evenly spaced ones, where there are very many."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from bayescpt.data import Study

# A gradient takes as long as there are losses: these many take a few milliseconds.
MOST_LOSSES = 40_000
# Losses of one curve, whatever the number of curves. Neighbours on a curve are off in the same
# way, so that more of them narrow no band.
LEAST_OF_CURVE, MOST_OF_CURVE = 300, 1000
# The first part of a run, where the loss jumps and settles, and its share of the losses kept.
EARLY, EARLY_SHARE = 0.1, 0.25


def losses_of_curve(study: Study) -> int:
    """Most losses of one run on one domain that are fitted.

    Parameters
    ----------
    study : Study
        The study: the more curves it has, the fewer losses of each are needed.

    Returns
    -------
    int

    Examples
    --------
    >>> from bayescpt.data import load_example
    >>> losses_of_curve(load_example("mpl_25m"))
    1000
    """
    curves = len(study.curves[["run", "domain"]].drop_duplicates())
    return int(np.clip(MOST_LOSSES // max(curves, 1), LEAST_OF_CURVE, MOST_OF_CURVE))


def evenly_kept(fraction: NDArray[np.float64], most: int) -> NDArray[np.int64]:
    """Losses of a curve to fit.

    Parameters
    ----------
    fraction : ndarray, shape (n,)
        Steps as a fraction of the run, increasing.
    most : int
        Most losses to keep.

    Returns
    -------
    ndarray of int
        Indices, increasing: all where there are no more than `most`. Else evenly spaced ones of the
        first tenth of the run, and of the rest; the first and the last loss are among them.

    Examples
    --------
    >>> evenly_kept(np.linspace(0.01, 1.0, 100), 100).size
    100
    >>> evenly_kept(np.linspace(0.01, 1.0, 100), 8).tolist()
    [0, 9, 10, 28, 46, 63, 81, 99]
    """
    n = fraction.size
    if n <= most:
        return np.arange(n)
    early = int(np.searchsorted(fraction, EARLY, side="right"))
    first = min(early, max(round(EARLY_SHARE * most), most - (n - early)))
    return np.concatenate([_spread(0, early, first), _spread(early, n, most - first)])


def _spread(start: int, stop: int, most: int) -> NDArray[np.int64]:
    """Evenly spaced indices, `start` and the one before `stop` among them."""
    if stop - start <= most:
        return np.arange(start, stop)
    return np.linspace(start, stop - 1, most).round().astype(np.int64)


def thinning_note(study: Study) -> str | None:
    """Say which losses of a study are fitted, if not all are.

    Parameters
    ----------
    study : Study
        The study.

    Returns
    -------
    str or None
        One sentence, the same for all cards.
    """
    most = losses_of_curve(study)
    counts = study.curves.groupby(["run", "domain"], sort=False).size()
    long = int((counts > most).sum())
    if not long:
        return None
    return (
        f"{long} of {len(counts)} curves have more than {most:,} losses (up to "
        f"{int(counts.max()):,}): a fit takes {most:,} of each, evenly spaced, a quarter of them "
        "in the first tenth of the run; neighbouring losses tell the same"
    )
