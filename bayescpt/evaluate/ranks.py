"""Ranks of the truth among posterior draws, and tests of their uniformity."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from bayescpt.errors import FitError
from bayescpt.evaluate.score import thin
from bayescpt.evaluate.uniformity import band_p, chi_square_p

Array = NDArray[np.float64]

# Negative control: the width of every posterior is scaled by this factor.
CONTROL = 0.5


@dataclass(frozen=True, eq=False)
class Calibration:
    """Ranks of the truth among posterior draws, over simulations.

    Attributes
    ----------
    ranks : DataFrame
        One row per simulation and quantity: simulation, quantity (such as ``alpha_s1[general]``, or
        ``final loss[target]`` of the held-out run), rank, and control: the rank in a posterior of
        half the width, which the test must reject.
    fits : DataFrame
        One row per simulation: simulation, redraws (number of impossible studies drawn),
        effective_draws (the smallest bulk ESS of a parameter) and seconds.
    n_ranks : int
        Number of draws among which the truth is ranked; ranks are 0..n_ranks.
    """

    ranks: pd.DataFrame
    fits: pd.DataFrame = field(repr=False)
    n_ranks: int

    def table(self) -> pd.DataFrame:
        """Test the ranks of every quantity for uniformity.

        Returns
        -------
        DataFrame
            Index: quantity. Columns: simulations, mean_rank (0..1, .5 if unbiased), p_chi2, p_band
            (`bayescpt.evaluate.uniformity`), p_adjusted (p_band, Holm's correction for the number
            of quantities) and control_p_band.
        """
        rows = {}
        for name, group in self.ranks.groupby("quantity", sort=False):
            rank, control = group["rank"].to_numpy(), group["control"].to_numpy()
            rows[name] = {
                "simulations": len(group),
                "mean_rank": (rank.mean() + 0.5) / (self.n_ranks + 1),
                "p_chi2": chi_square_p(rank, self.n_ranks),
                "p_band": band_p(rank, self.n_ranks),
                "control_p_band": band_p(control, self.n_ranks),
            }
        out = pd.DataFrame.from_dict(rows, orient="index").rename_axis("quantity")
        out.insert(4, "p_adjusted", holm(out["p_band"].to_numpy()))
        return out

    def uniform(self, level: float = 0.05) -> bool:
        """Whether the ranks of all quantities are consistent with uniformity.

        Parameters
        ----------
        level : float
            Family-wise false positive rate over all quantities.

        Returns
        -------
        bool
            True if every p_adjusted is above `level`.
        """
        return bool((self.table()["p_adjusted"] > level).all())

    def control_rejected(self, level: float = 0.05) -> bool:
        """Whether the test rejects posteriors of half the correct width.

        Parameters
        ----------
        level : float
            Level, as in `uniform`.

        Returns
        -------
        bool
            True if the control is rejected for some quantity; if not, there are too few simulations
            for `uniform` to be informative.
        """
        return bool((holm(self.table()["control_p_band"].to_numpy()) <= level).any())


def holm(p: ArrayLike) -> Array:
    """Holm's correction of p-values for multiple testing.

    Parameters
    ----------
    p : array_like, shape (n,)
        P-values.

    Returns
    -------
    ndarray, shape (n,)
        Adjusted p-values, at most 1 (Holm 1979, Scandinavian Journal of Statistics 6).
    """
    values = np.asarray(p, dtype=np.float64)
    order = np.argsort(values)
    steps = np.maximum.accumulate(values[order] * np.arange(len(values), 0, -1))
    out = np.empty_like(values)
    out[order] = np.minimum(steps, 1.0)
    return out


def ranks_of(value: float, draws: Array, n_ranks: int, rng: np.random.Generator) -> dict[str, int]:
    """Rank of the truth among the draws and among those of the negative control.

    Parameters
    ----------
    value : float
        The truth.
    draws : ndarray, shape (n,)
        Draws, at least `n_ranks`.
    n_ranks : int
        Number of draws to rank among.
    rng : numpy.random.Generator
        Breaks ties.

    Returns
    -------
    dict of str to int
        Keys rank and control.

    Raises
    ------
    FitError
        If there are fewer draws than ranks.
    """
    if draws.size < n_ranks:
        raise FitError(f"{draws.size} draws are too few for {n_ranks} ranks; increase draws")
    kept = thin(draws, n_ranks)
    tight = draws.mean() + CONTROL * (kept - draws.mean())
    return {"rank": rank(value, kept, rng), "control": rank(value, tight, rng)}


def rank(value: float, draws: Array, rng: np.random.Generator) -> int:
    """Number of draws below a value; ties are broken at random.

    Parameters
    ----------
    value : float
        The truth.
    draws : ndarray, shape (n,)
        Draws.
    rng : numpy.random.Generator
        Breaks ties.

    Returns
    -------
    int
        Rank, 0..n.
    """
    ties = int(np.sum(draws == value))
    return int(np.sum(draws < value)) + int(rng.integers(ties + 1))
