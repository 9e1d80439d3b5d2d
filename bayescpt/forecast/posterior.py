"""What a forecast needs of a fit: draws by name, labels, reference points, the measured starts."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bayescpt.errors import PlanError
from bayescpt.forecast.novelty import Recipe, novelty, recipe
from bayescpt.laws.features import Path, run_path, warming
from bayescpt.laws.terms import SHARED_PARAMETERS, TERM_PARAMETERS, cpt_terms, pt_terms
from bayescpt.model.card import Card
from bayescpt.model.rows import Labels, Rows

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
        flat = self._flat.get(name)
        if flat is None:
            values = self.posterior[name].to_numpy()
            # Draws last: an entry's draws stand beside each other.
            flat = np.ascontiguousarray(values.reshape(self.size, -1).T)
            self._flat[name] = flat
        return flat[0 if index is None else index]

    @cached_property
    def _flat(self) -> dict[str, Array]:
        """Draws by name, shape (entries, draws), as far as they were asked for."""
        return {}

    @cached_property
    def kept(self) -> dict[Hashable, Any]:
        """What was made of the draws and holds for many plans, by a key of its maker's."""
        return {}

    def terms(
        self, path: Path, domain: str, replay: Array, rng: np.random.Generator
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
            For the level of a start checkpoint that was not fitted.

        Returns
        -------
        dict of ndarray, shape (draws, 1) or (draws, n)

        Raises
        ------
        PlanError
            If the fit says nothing of this domain, target or start.
        """
        d = self.labels.domain.index(domain)
        values = {name: value[:, None] for name, value in self.parameters(path, domain).items()}
        start = self.start_level(path, d, rng)[:, None] if path.phase == "cpt" else None
        return self.law_terms(
            values, start, replay, float(domain == path.target), *warming(path, self.rows.refs)
        )

    def parameters(self, path: Path, domain: str) -> dict[str, Array]:
        """Draws of the parameters that the law takes for a path on a domain.

        Parameters
        ----------
        path : Path
            The trajectory.
        domain : str
            Evaluated domain.

        Returns
        -------
        dict of ndarray, shape (draws,)

        Raises
        ------
        PlanError
            If the fit says nothing of this domain and target, or of pre-training.
        """
        d = self.labels.domain.index(domain)
        if path.phase == "cpt":
            index = {"domain": d, "pair": self.pair(path, domain)}
            own = {
                parameter.name: self.value(parameter.name, index[parameter.dims[0]])
                for parameter in TERM_PARAMETERS
                if parameter.name in self.posterior
            }
            shared = [p.name for p in SHARED_PARAMETERS if p.name in self.posterior]
            return own | {name: self.value(name) for name in shared}
        if "level_pt" not in self.posterior:
            raise PlanError(
                f"plan {path.name!r} starts from scratch, but card {self.card.name!r} fits no "
                "pre-training rows; give the plan's start checkpoint"
            )
        names = ("level_pt", "base_ref", "alpha_s1", "anneal_pt_ref")
        return {name: self.value(name, d) for name in names}

    def law_terms(
        self,
        values: Mapping[str, Any],
        start_level: Any,
        replay: Any,
        is_target: float,
        rise: Any,
        log_peak: Any,
        xp: Any = np,
    ) -> dict[str, Any]:
        """Arguments of `expected_loss` from what is known of runs of one phase on one domain.

        Parameters
        ----------
        values : Mapping
            From `parameters`, in a shape that broadcasts.
        start_level : array or None
            Losses of the start checkpoints, nats; None from scratch.
        replay : array
            Replay ratios.
        is_target : float
            1.0 where the domain is the target, else 0.0.
        rise, log_peak : array
            From `bayescpt.laws.features.warming`.
        xp : module
            ``numpy``, or what stands in for it.

        Returns
        -------
        dict
        """
        if start_level is None:
            return pt_terms(values)
        given = {"start_level": start_level, **values}
        return cpt_terms(given, replay, is_target, self.card.law, xp, rise, log_peak)

    def pair(self, path: Path, domain: str) -> int:
        """Index of (domain, target of a path) among the fitted pairs.

        Parameters
        ----------
        path : Path
            A continual pre-training path.
        domain : str
            Evaluated domain.

        Returns
        -------
        int

        Raises
        ------
        PlanError
            If no fitted run shows it.
        """
        pair = (domain, str(path.target))
        if pair not in self.labels.pair:
            raise PlanError(
                f"plan {path.name!r}: no fitted run shows {domain!r} while training on "
                f"{path.target!r}"
            )
        return self.labels.pair.index(pair)

    def start_level(self, path: Path, d: int, rng: np.random.Generator) -> Array:
        """Loss of the start checkpoint of a path: its fitted one, else the measured one.

        Parameters
        ----------
        path : Path
            A continual pre-training path.
        d : int
            Index of the evaluated domain.
        rng : numpy.random.Generator
            For a checkpoint that was not fitted.

        Returns
        -------
        ndarray, shape (draws,)
            Nats.

        Raises
        ------
        PlanError
            If the checkpoint was neither fitted nor measured.
        """
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

    def novelty(self, path: Path) -> float:
        """Distance of a path's recipe to the nearest fitted run but itself.

        Parameters
        ----------
        path : Path
            The trajectory.

        Returns
        -------
        float
            See `bayescpt.forecast.novelty`.
        """
        others = [known for name, known in self._recipes.items() if name != path.run]
        return novelty(recipe(path), others)

    @cached_property
    def _recipes(self) -> dict[str, Recipe]:
        return {name: recipe(run_path(self.study, name)) for name in self.labels.run}

    def last_step(self, curve: int) -> int:
        """Step of the last fitted loss of a curve.

        Parameters
        ----------
        curve : int
            Into `Labels.curve`.

        Returns
        -------
        int
        """
        return int(self._last_steps[curve])

    @cached_property
    def _last_steps(self) -> NDArray[np.int64]:
        curve = np.asarray(self.rows.segment["curve"])[self.rows.row["segment"]]
        out = np.zeros(len(self.labels.curve), dtype=np.int64)
        np.maximum.at(out, curve, self.rows.row["step"])
        return out
