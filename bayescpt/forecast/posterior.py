"""What a forecast needs of a fit: draws by name, labels, reference points, the measured starts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bayescpt.errors import PlanError
from bayescpt.laws.features import Path
from bayescpt.laws.terms import TERM_PARAMETERS, cpt_terms, pt_terms
from bayescpt.model.card import Card
from bayescpt.model.rows import Labels, Rows, unit_drift

if TYPE_CHECKING:
    from bayescpt.data import Study

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Draws:
    """Posterior draws, flattened over chains, with what places a plan among the fitted runs.

    Attributes
    ----------
    posterior : xr.Dataset
        Dims chain, draw and the model's.
    card : Card
        Components and noise.
    study : Study
        The fitted study.
    rows : Rows
        Its arrays: labels and reference points.
    """

    posterior: xr.Dataset
    card: Card
    study: Study
    rows: Rows

    @property
    def labels(self) -> Labels:
        """Names along the model's dimensions."""
        return self.rows.labels

    @property
    def size(self) -> int:
        """Number of draws over all chains."""
        return int(self.posterior.sizes["chain"] * self.posterior.sizes["draw"])

    def value(self, name: str, index: int | None = None) -> Array:
        """Draws of one parameter, or of one of its entries.

        Parameters
        ----------
        name : str
            Name in the posterior.
        index : int, optional
            Position along its dimension.

        Returns
        -------
        ndarray, shape (draws,)
        """
        values = self.posterior[name].to_numpy()
        flat = values.reshape(self.size, *values.shape[2:])
        return flat if index is None else flat[:, index]

    def terms(
        self, path: Path, domain: str, replay: Array, rng: np.random.Generator, realised: bool
    ) -> dict[str, Array]:
        """Arguments of `expected_loss` for a path on a domain, by draw.

        Parameters
        ----------
        path : Path
            The trajectory.
        domain : str
            Evaluated domain.
        replay : ndarray, shape (n,) or (1,)
            Replay ratio at each step.
        rng : numpy.random.Generator
            For the effects of runs that were not fitted.
        realised : bool
            With the effects of the run: what this very run will do, not the average run.

        Returns
        -------
        dict of ndarray, shape (draws, 1) or (draws, n)

        Raises
        ------
        PlanError
            If the fit says nothing of this domain, target or start.
        """
        d = self.labels.domain.index(domain)
        effects = self._effects(path, d, rng) if realised else {}
        if path.phase == "pt":
            return self._pt_terms(path, d, effects)
        pair = (domain, str(path.target))
        if pair not in self.labels.pair:
            raise PlanError(
                f"plan {path.name!r}: no fitted run shows {domain!r} while training on "
                f"{path.target!r}"
            )
        values = {"start_level": self._start_level(path, d, rng)[:, None]}
        index = {"domain": d, "pair": self.labels.pair.index(pair)}
        for parameter in TERM_PARAMETERS:
            if parameter.name in self.posterior:
                draws = self.value(parameter.name, index[parameter.dims[0]])
                values[parameter.name] = draws[:, None]
        return cpt_terms(
            values,
            effects,
            replay,
            float(domain == path.target),
            unit_drift(path.start_area, self.rows.refs),
            self.card.law,
        )

    def _pt_terms(self, path: Path, d: int, effects: dict[str, Array]) -> dict[str, Array]:
        if "level_pt" not in self.posterior:
            raise PlanError(
                f"plan {path.name!r} starts from scratch, but card {self.card.name!r} fits no "
                "pre-training rows; give the plan's start checkpoint"
            )
        names = ("level_pt", "base_ref", "alpha_s1", "anneal_pt_ref")
        return pt_terms({name: self.value(name, d)[:, None] for name in names}, effects)

    def _start_level(self, path: Path, d: int, rng: np.random.Generator) -> Array:
        start = str(path.start)
        if start in self.labels.checkpoint:
            c = self.labels.checkpoint.index(start)
            return self.value("start_level", c * len(self.labels.domain) + d)
        measured = self.study.checkpoint_loss(start, self.labels.domain[d])
        if measured is None:
            raise PlanError(
                f"plan {path.name!r}: the loss of its start checkpoint {start!r} on "
                f"{self.labels.domain[d]!r} was never measured; add the last row of that run's "
                "curve, or step 0 of a run from it"
            )
        return measured + self.card.level_sd * rng.standard_normal(self.size)

    def _effects(self, path: Path, d: int, rng: np.random.Generator) -> dict[str, Array]:
        """Effects of the run: its own if it was fitted, its trunk's for a branch, else new ones."""
        out = {}
        for name in self.card.run_effects:
            fitted = self._fitted_curve(path, self.labels.domain[d], name)
            effect = (
                self.value(f"tau_{name}", d) * rng.standard_normal(self.size)
                if fitted is None
                else self.value(f"effect_{name}", fitted)
            )
            out[name] = effect[:, None]
        return out

    def _fitted_curve(self, path: Path, domain: str, effect: str) -> int | None:
        curves = self.labels.curve
        if (path.run, domain) in curves:
            return curves.index((str(path.run), domain))
        # A branch carries on its trunk's weights, so also its level and drift.
        trunk = (path.branch_of, domain)
        if path.branch_step and effect in ("level", "drift") and trunk in curves:
            return curves.index((str(path.branch_of), domain))
        return None
