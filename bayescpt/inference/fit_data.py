"""A fit as other libraries and people take it: its table, DataTree, model and figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import pandas as pd
import xarray as xr

from bayescpt.data import Study
from bayescpt.data.figures import Figure, figure
from bayescpt.inference.idata import arviz_tree
from bayescpt.inference.summary import parameter_table
from bayescpt.model.card import Card
from bayescpt.model.rows import Rows

if TYPE_CHECKING:
    import pymc as pm


@dataclass(frozen=True, repr=False)
class FitData:
    """Posterior of a card given a study, without its checks; see `Fit`.

    Attributes
    ----------
    card : Card
        The model card.
    study : Study
        The fitted study.
    rows : Rows
        Arrays of the study, with labels along the dimensions and reference points.
    posterior : xr.Dataset
        Draws of the sampled parameters and the paper's symbols; dims chain, draw and those of the
        model.
    sample_stats : xr.Dataset
        Sampler statistics.
    seed : int
        Random seed of the sampler.
    """

    card: Card
    study: Study
    rows: Rows
    posterior: xr.Dataset
    sample_stats: xr.Dataset
    seed: int

    @property
    def failed_checks(self) -> list[str]:
        """Names of the checks that failed."""
        raise NotImplementedError

    def summary(self, prob: float = 0.9) -> pd.DataFrame:
        """Summary table of the parameters, the paper's symbols first.

        Parameters
        ----------
        prob : float
            Probability of the equal-tailed interval.

        Returns
        -------
        DataFrame
            Index: parameter, such as ``B[general|german]``. Columns: unit, mean, sd, lower, median,
            upper, r_hat, ess_bulk, ess_tail.

        Raises
        ------
        ConvergenceError
            Never; failed checks are listed in ``DataFrame.attrs["failed_checks"]``.

        Examples
        --------
        >>> fit.summary().loc["lambda", ["mean", "lower", "upper"]]  # doctest: +SKIP
        """
        table = parameter_table(self.posterior, self.card, prob)
        table.attrs = {"prob": prob, "failed_checks": self.failed_checks}
        return table

    @cached_property
    def idata(self) -> xr.DataTree:
        """The fit as an ArviZ DataTree.

        Returns
        -------
        xr.DataTree
            Groups ``posterior`` (with the paper's symbols and the effects of runs),
            ``sample_stats`` of the same draws, ``log_likelihood`` and ``posterior_predictive`` of
            the sampled model, ``log_prior``, ``prior``, ``prior_predictive``, ``observed_data`` and
            ``constant_data``. The observed variable is ``loss``; its dimension ``obs`` has the
            coordinates run, domain and step. Computed on first use, 16 bytes for every draw of
            every fitted loss.
        """
        return arviz_tree(self)

    @cached_property
    def model(self) -> pm.Model:
        """The sampled PyMC model; loads PyMC, which nothing else of a saved fit needs."""
        from bayescpt.model.build import rows_model

        return rows_model(self.rows, self.card, starts=False)

    def plot(
        self,
        runs: Sequence[str] | None = None,
        domains: Sequence[str] | None = None,
        prob: float = 0.9,
    ) -> Figure:
        """Draw the terms of the law along fitted runs: base, annealing, shift, re-warm-up.

        Parameters
        ----------
        runs, domains : sequence of str, optional
            Fitted runs and domains to draw; by default up to four runs, on all domains.
        prob : float
            Probability of the band of the expected loss.

        Returns
        -------
        matplotlib.figure.Figure
            See `bayescpt.plot.components`.

        Examples
        --------
        >>> fit.plot(["de_r25_wsd_s1"]).savefig("terms.png")  # doctest: +SKIP
        """
        return figure("components", self, runs, domains, prob)
