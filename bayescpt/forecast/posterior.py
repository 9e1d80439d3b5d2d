"""The parts of a fit that a forecast needs: draws, labels, reference points, start losses."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bayescpt.data.sizes import run_size, same_size
from bayescpt.errors import PlanError
from bayescpt.forecast.extrapolation import (
    Recipe,
    Recipes,
    nearest,
    recipe,
)
from bayescpt.laws.observed import observed_trajectory
from bayescpt.laws.trajectory import Trajectory, run_trajectory
from bayescpt.laws.view import View
from bayescpt.model.card import Card
from bayescpt.model.labels import Labels
from bayescpt.model.rows import Rows
from bayescpt.model.starts import NOT_AT_ALL

if TYPE_CHECKING:
    from bayescpt.data import Study

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Draws:
    """Posterior draws, flattened over chains, with the card, study and rows of the fit.

    Attributes
    ----------
    posterior : xr.Dataset
        Dims chain, draw and those of the model.
    card : Card
        Terms and noise.
    study : Study
        The fitted study.
    rows : Rows
        Arrays of the study, with labels and reference points.
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
    def sets(self) -> tuple[str, ...]:
        """Out-of-domain sets, which are combinations of the general and the target loss."""
        measured = self.study.domains if self.card.continual else ()
        return tuple(name for name in self.study.out_of_domain if name in measured)

    @property
    def domains(self) -> tuple[str, ...]:
        """Domains of a forecast: those of the law, then the out-of-domain sets."""
        return (*self.labels.domain, *self.sets)

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
            Position along its dimensions, flattened.

        Returns
        -------
        ndarray, shape (draws,)
        """
        flat = self._flat.get(name)
        if flat is None:
            values = self.posterior[name].to_numpy()
            # Draws last, so that the draws of an entry are contiguous.
            flat = np.ascontiguousarray(values.reshape(self.size, -1).T)
            self._flat[name] = flat
        return flat[0 if index is None else index]

    @cached_property
    def _flat(self) -> dict[str, Array]:
        """Cache of the draws requested so far, by name, shape (entries, draws)."""
        return {}

    @cached_property
    def cache(self) -> dict[Hashable, Any]:
        """Cache of results that hold for many plans; callers choose the keys."""
        return {}

    @cached_property
    def weights(self) -> dict[str, Array]:
        """Weights of the law's bases, shape (draws, J), the same for all plans."""
        scalars = {
            str(name): self.value(str(name))
            for name, values in self.posterior.data_vars.items()
            if values.ndim == 2
        }
        return self.card.law.weights(scalars, self.rows.refs)

    def parameters(self, trajectory: Trajectory, domain: str) -> dict[str, Array]:
        """Draws of the law's parameters for a trajectory on a domain.

        Parameters
        ----------
        trajectory : Trajectory
            The trajectory.
        domain : str
            Evaluated domain.

        Returns
        -------
        dict of ndarray, shape (draws,)

        Raises
        ------
        PlanError
            If no fitted run covers this domain and target, or the card fits no pre-training.
        """
        target = str(trajectory.target) if trajectory.is_cpt else None
        if trajectory.is_cpt:
            self.check_pair(trajectory, domain)
        elif not self.card.law.describes_pretraining:
            raise PlanError(
                f"plan {trajectory.name!r} starts from scratch, but card {self.card.name!r} fits "
                "no pre-training rows; give its start checkpoint"
            )
        out = {}
        for name, dims in self.card.law.dims.items():
            if name not in self.posterior or {"level", "side"} & set(dims):
                continue
            if "sized" in dims:
                out[name] = self._of_size(name, trajectory, domain)
                continue
            places = [self.labels.place(dim, domain, target, None) for dim in dims]
            out[name] = self.value(name, self._flat_index(name, dims, places))
        return out

    def _of_size(self, name: str, trajectory: Trajectory, domain: str) -> Array:
        """Deviation of a model size, standard normal; drawn for one that no fitted run has."""
        target, size = trajectory.target, trajectory.n_params
        if not trajectory.is_cpt:
            return np.zeros(self.size)
        if self.labels.size_place(size) is not None:
            place = self.labels.place("sized", domain, target, None, size)
            return self.value(name, place)
        key = (name, domain, target, size)
        if key not in self.cache:
            # The same for all plans of the size: it is the size that deviates.
            words = hashlib.sha256(repr(key).encode()).digest()
            seed = np.frombuffer(words, np.uint32)
            self.cache[key] = np.random.default_rng(seed).standard_normal(self.size)
        return np.asarray(self.cache[key])

    def _flat_index(self, name: str, dims: tuple[str, ...], places: list[int]) -> int | None:
        if len(places) < 2:
            return places[0] if places else None
        sizes = [self.posterior[name].sizes[dim] for dim in dims]
        return int(np.ravel_multi_index(places, sizes))

    def noise_parameters(self, domain: str) -> dict[str, Array]:
        """Draws of the noise parameters on a domain.

        Parameters
        ----------
        domain : str
            Evaluated domain.

        Returns
        -------
        dict of ndarray, shape (draws,)
            ``domain_corr`` is 0 on the first domain.
        """
        d = self.labels.domain.index(domain)
        out = {}
        for parameter in self.card.noise.parameters:
            if parameter.dims == ("other",):
                out[parameter.name] = (
                    self.value(parameter.name, d - 1) if d else np.zeros(self.size)
                )
            else:
                out[parameter.name] = self.value(parameter.name, d if parameter.dims else None)
        return out

    def features(self, view: View, domain: str) -> dict[str, Any]:
        """Features of a trajectory evaluated on a domain, as the law reads them.

        Parameters
        ----------
        view : View
            The trajectory at n steps.
        domain : str
            Evaluated domain.

        Returns
        -------
        dict
            Segment features as numbers, row features of shape (n,), bases of shape (n, J);
            ``replay`` has shape (n,), or (1,) if it is constant.
        """
        is_target = view.is_cpt and domain == view.trajectory.target
        replay = view.replay
        return {
            **self.card.law.features(view, is_target),
            "is_cpt": float(view.is_cpt),
            "is_target": float(is_target),
            "replay": replay[:1] if np.ptp(replay) == 0.0 else replay,
        }

    def check_pair(self, trajectory: Trajectory, domain: str) -> None:
        """Raise unless a domain and the trajectory's target have parameters.

        Parameters
        ----------
        trajectory : Trajectory
            A trajectory of continual pre-training.
        domain : str
            Evaluated domain.

        Raises
        ------
        PlanError
            If no fitted run with this target was evaluated on the domain, and the law does not
            draw them from a population.
        """
        if not self.shows(trajectory, domain):
            raise PlanError(
                f"plan {trajectory.name!r}: no fitted run that trains on {trajectory.target!r} was "
                f"evaluated on {domain!r}; card 'cpt_targets' forecasts a target without any run "
                "from runs on others"
            )

    def shows(self, trajectory: Trajectory, domain: str) -> bool:
        """Whether a domain and the trajectory's target have parameters, as of fitted runs.

        Parameters
        ----------
        trajectory : Trajectory
            The trajectory.
        domain : str
            Evaluated domain.

        Returns
        -------
        bool
            Always True from scratch.
        """
        return not trajectory.is_cpt or (domain, str(trajectory.target)) in self.labels.pair

    def start_level(self, trajectory: Trajectory, domain: str, rng: np.random.Generator) -> Array:
        """Loss of the start checkpoint of a trajectory: fitted if available, else measured.

        Parameters
        ----------
        trajectory : Trajectory
            A trajectory of continual pre-training.
        domain : str
            Evaluated domain.
        rng : numpy.random.Generator
            Used for a checkpoint that was not fitted.

        Returns
        -------
        ndarray, shape (draws,)
            Nats.

        Raises
        ------
        PlanError
            If the checkpoint was neither fitted nor measured.
        """
        start = str(trajectory.start)
        if start in self.labels.checkpoint:
            place = self.labels.place("level", domain, None, start)
            if self.card.law.paper or self.rows.start["source"][place] != NOT_AT_ALL:
                return self.value("start_level", place)
        measured = self.study.checkpoint_loss(start, domain)
        if measured is None:
            raise PlanError(
                f"plan {trajectory.name!r}: the loss of its start checkpoint {start!r} on "
                f"{domain!r} was not measured; add the last row of that run's curve, or step 0 "
                "of a run from it"
            )
        return measured + self.card.level_sd * rng.standard_normal(self.size)

    def start_mean(self, trajectory: Trajectory, domain: str, level: Array) -> Array:
        """Mean loss of the start checkpoints that the one of a trajectory is compared with.

        Parameters
        ----------
        trajectory : Trajectory
            A trajectory of continual pre-training.
        domain : str
            Evaluated domain.
        level : ndarray, shape (draws,)
            From `start_level`.

        Returns
        -------
        ndarray, shape (draws,)
            Nats: of the fitted checkpoints of its model size, as far as the law knows sizes; where
            there are none, of the measured bases of its size in the study, or its own.
        """
        if "level" not in self.posterior["start_mean"].dims:
            # Of a fit saved before laws knew sizes.
            return self.value("start_mean", self.labels.domain.index(domain))
        mine = self.log_size(trajectory)
        alike = [n for n, path in self._from.items() if same_size(self.log_size(path), mine)]
        own = [name for name in self._from if name == trajectory.start]
        for start in (*own, *alike):
            place = self.labels.place("level", domain, None, start)
            if place in self._levels:
                return self.value("start_mean", place)
        # Unknown sizes are one.
        wanted = np.log(trajectory.n_params or 1.0)
        sizes = {name: np.log(run_size(self.study, name) or 1.0) for name in self.study.pt_runs}
        of_size = [name for name, size in sizes.items() if same_size(size, wanted)]
        for peers in (alike, of_size):
            # Of a set that no run from these checkpoints was evaluated on.
            losses = [self.study.checkpoint_loss(name, domain) for name in peers]
            known = [loss for loss in losses if loss is not None]
            if known:
                return np.full(self.size, np.mean(known))
        return level

    @cached_property
    def _levels(self) -> set[int]:
        """Start levels that some fitted row depends on."""
        cpt = np.asarray(self.rows.segment["is_cpt"]) > 0
        return set(np.asarray(self.rows.segment["level"])[cpt].tolist())

    def log_size(self, trajectory: Trajectory) -> float:
        """Model size under the law, 0 where the law knows no sizes.

        Parameters
        ----------
        trajectory : Trajectory
            The trajectory.

        Returns
        -------
        float
            Log of the size over the reference.
        """
        size = next((term for term in self.card.law.terms if term.slot == "size"), None)
        if size is None:
            return 0.0
        view = View(trajectory, np.array([trajectory.n_steps]), self.rows.refs)
        return float(size.features(view, False).get("log_size", 0.0))

    @cached_property
    def _from(self) -> dict[str, Trajectory]:
        """A fitted run from each start checkpoint."""
        return {str(path.start): path for path in self.observed.values() if path.is_cpt}

    def is_fitted(self, trajectory: Trajectory) -> bool:
        """Whether a trajectory is that of a fitted run, by name and by recipe.

        Parameters
        ----------
        trajectory : Trajectory
            The trajectory.

        Returns
        -------
        bool
            For a run in flight, whether the recipe is the same up to its last loss: it may go on
            otherwise than planned.
        """
        known = self.trajectories.get(str(trajectory.run))
        if known is None:
            return False
        last = self.observed[known.name].n_steps
        if last == known.n_steps:
            return known.digest == trajectory.digest
        return known.digest_to(last) == trajectory.digest_to(last)

    def carried_on(self, trajectory: Trajectory) -> Trajectory:
        """Trajectory whose noise carries on that of its run in flight, if it is one.

        Parameters
        ----------
        trajectory : Trajectory
            The trajectory.

        Returns
        -------
        Trajectory
        """
        if not self.is_fitted(trajectory):
            return trajectory
        return replace(trajectory, nominal_steps=self.observed[str(trajectory.run)].nominal_steps)

    def trunk_steps(self, trajectory: Trajectory) -> int:
        """Number of steps that a trajectory shares with the fitted run named as its trunk.

        Parameters
        ----------
        trajectory : Trajectory
            The trajectory.

        Returns
        -------
        int
            The branch step, or one less, since logs that count updates from 0 are off by one; 0
            if the first steps differ from those of that run.
        """
        trunk, last = self.trajectories.get(str(trajectory.branch_of)), trajectory.branch_step
        if trunk is not None:
            for step in range(last, max(last - 2, 0), -1):
                if trunk.digest_to(step) == trajectory.digest_to(step):
                    return step
        return 0

    @cached_property
    def trajectories(self) -> dict[str, Trajectory]:
        """Trajectories of the fitted runs, as planned."""
        return self._paths(run_trajectory)

    @cached_property
    def observed(self) -> dict[str, Trajectory]:
        """Trajectories of the fitted runs up to their last losses: what the pilots cover."""
        return self._paths(observed_trajectory)

    def _paths(self, of: Callable[..., Trajectory]) -> dict[str, Trajectory]:
        warmup = self.rows.refs.warmup
        return {name: of(self.study, name, warmup) for name in self.labels.run}

    def extrapolation(self, trajectory: Trajectory) -> float:
        """Distance from a recipe to the nearest other fitted run.

        Parameters
        ----------
        trajectory : Trajectory
            The trajectory.

        Returns
        -------
        float
            See `bayescpt.forecast.extrapolation`.
        """
        mine, itself = recipe(trajectory), trajectory.run if self.is_fitted(trajectory) else None
        key = ("recipes", mine.kind, itself)
        if key not in self.cache:
            others = (one for name, one in self.recipes.items() if name != itself)
            self.cache[key] = Recipes.of_kind(others, mine.kind)
        return nearest(mine, self.cache[key])

    @cached_property
    def recipes(self) -> dict[str, Recipe]:
        """Recipes of the fitted runs, as far as their losses go."""
        return {name: recipe(trajectory) for name, trajectory in self.observed.items()}

    def last_step(self, curve: int) -> int:
        """Step of the last fitted loss of a curve.

        Parameters
        ----------
        curve : int
            Index into `Labels.curve`.

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
