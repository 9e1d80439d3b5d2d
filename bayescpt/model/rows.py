"""Rows of the likelihood: the data arrays of a model."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bayescpt.data.areas import warmup_end
from bayescpt.data.sizes import SAME_SIZE
from bayescpt.errors import FitError
from bayescpt.laws.observed import observed_trajectory
from bayescpt.laws.points import References
from bayescpt.laws.references import references
from bayescpt.laws.trajectory import Trajectory
from bayescpt.laws.view import View
from bayescpt.linalg import svd
from bayescpt.model.labels import Labels
from bayescpt.model.population import target_covariates
from bayescpt.model.starts import known_starts
from bayescpt.model.thinning import evenly_kept, losses_of_curve

if TYPE_CHECKING:
    from bayescpt.data import Study
    from bayescpt.model.card import Card

Floats = NDArray[np.float64]

# Gap before the first row of a curve, in run lengths; inf would turn the gradient into NaN.
NO_ROW_BEFORE = 1e6
INDEX = ("first", "level", "domain", "pair", "curve", "sized")


@dataclass(frozen=True)
class Rows:
    """Data of a study that enter the likelihood.

    A segment is a (run, domain, replay ratio) whose rows share all parameters; rows are sorted by
    segment and step. Shapes: N rows, S segments, M places (steps of a run, regardless of domain),
    J columns of a basis, K columns after compression.

    Attributes
    ----------
    labels : Labels
        Labels along the dimensions.
    refs : References
        Reference points.
    segment : dict of ndarray, shape (S,)
        ``first`` (row), ``level`` (index into checkpoint x domain), ``domain``, ``pair``, ``curve``
        (index into `Labels.curve`), ``sized`` where the law has it, ``is_cpt``, ``is_target``,
        ``replay`` and the law's segment features.
    row : dict of ndarray, shape (N,)
        ``segment``, ``place`` (index into the bases, consecutive along a segment), ``fraction``,
        ``step``, ``run``, ``domain``, ``previous`` (previous row of the same run and domain, or the
        row itself), ``gap`` (distance to it as a fraction of the run; 1e6 if none), ``partner``
        (general row of the same run and step, or the row itself), ``paired``, and the law's row
        features.
    basis : dict of ndarray, shape (K, M)
        Compressed bases by name; the columns of a basis are ``basis.T @ mix``.
    mix : dict of ndarray, shape (K, J)
        See `basis`.
    loss : ndarray, shape (N,)
        Observed losses, nats per token.
    effects : ndarray, shape (effects, N)
        What each effect of runs does to every loss, at its ratio in nats; no row where the
        likelihood has none.
    start : dict of ndarray
        Information on the start checkpoints, see `bayescpt.model.starts`.
    covariate : ndarray, shape (pairs,)
        Of the target of each pair, see `bayescpt.model.population`; empty where the law pools none.
    """

    labels: Labels
    refs: References
    segment: dict[str, NDArray[np.generic]]
    row: dict[str, NDArray[np.generic]]
    basis: dict[str, Floats]
    mix: dict[str, Floats]
    loss: Floats
    effects: Floats
    start: dict[str, Floats]
    covariate: Floats


def card_references(study: Study, card: Card) -> References:
    """Reference points of a study under a card.

    Parameters
    ----------
    study : Study
        The study to fit.
    card : Card
        Card with the terms.

    Returns
    -------
    refs : References
        Reference points of the runs that the card fits.
    """
    return references(study, card.law)


def make_rows(study: Study, card: Card, refs: References | None = None) -> Rows:
    """Arrays of a study under a card.

    Rows at step 0 of a CPT run measure the start checkpoint, a single number however many runs
    repeat it; they enter as `Rows.start`, not as rows. Of very long curves, evenly spaced losses
    are taken, see `bayescpt.model.thinning`.

    Parameters
    ----------
    study : Study
        The study to fit.
    card : Card
        Card, which selects the rows.
    refs : References, optional
        Reference points; by default those of the study.

    Returns
    -------
    Rows

    Raises
    ------
    FitError
        If the study has no row that the card can use.
    """
    refs = refs or card_references(study, card)
    fitted = _fitted_domains(study, card)
    packer = _Packer(study, card, refs, fitted)
    for name in fitted:
        packer.add_run(name)
    return packer.rows()


def _fitted_domains(study: Study, card: Card) -> dict[str, list[str]]:
    """Domains by fitted run, CPT runs first."""
    domains = _domains(study, card)
    cpt = [name for name in study.cpt_runs if study.is_observed(name)] if card.continual else []
    if card.continual and not cpt:
        raise FitError(
            f"study {study.name!r} has no continual pre-training run with a curve, as required "
            f"by card {card.name!r}; for pre-training curves use card 'annealing'"
        )
    pt = {name: _pt_domains(study, card, name, domains) for name in study.pt_runs}
    return {name: domains for name in cpt} | {name: kept for name, kept in pt.items() if kept}


@dataclass
class _Packer:
    """Collects the rows of runs one by one."""

    study: Study
    card: Card
    refs: References
    fitted: dict[str, list[str]]
    segment: dict[str, list[float]] = field(default_factory=dict)
    row: dict[str, list[NDArray[np.generic]]] = field(default_factory=dict)
    basis: dict[str, list[Floats]] = field(default_factory=dict)
    effects: list[Floats] = field(default_factory=list)
    losses: list[Floats] = field(default_factory=list)
    used: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Set up the labels that do not depend on the rows."""
        self.paths = {
            name: observed_trajectory(self.study, name, self.card.warmup) for name in self.fitted
        }
        cpt = [path for path in self.paths.values() if path.is_cpt]
        order = {domain: k for k, domain in enumerate(_domains(self.study, self.card))}
        self.labels = Labels(
            domain=tuple(order),
            pair=self._pairs(cpt, tuple(order)),
            checkpoint=tuple(dict.fromkeys(str(path.start) for path in cpt)),
            run=(),
            curve=(),
            size=self._sizes(cpt),
        )
        self.most = losses_of_curve(self.study)
        self.curves: list[tuple[str, str]] = []
        self.n_rows, self.n_places = 0, 0

    def _pairs(
        self, cpt: list[Trajectory], domains: tuple[str, ...]
    ) -> tuple[tuple[str, str], ...]:
        """Pairs of evaluated domain and target that have parameters of their own."""
        if not self.card.law.pooled:
            return tuple(dict.fromkeys((d, str(p.target)) for p in cpt for d in domains))
        seen = [
            (d, str(p.target))
            for p in cpt
            for d in domains
            if not self.study.curve(p.name, d).empty
        ]
        # Targets of planned runs have their parameters from the population.
        planned = [
            (d, target)
            for target in self.study.targets
            for d in dict.fromkeys([domains[0], target])
        ]
        return tuple(dict.fromkeys([*seen, *(pair for pair in planned if pair[0] in domains)]))

    def _sizes(self, cpt: list[Trajectory]) -> tuple[float, ...]:
        """Model sizes that parameters of the law are told apart by."""
        if not any("sized" in parameter.dims for parameter in self.card.parameters()):
            return ()
        out: list[float] = []
        for size in sorted(path.n_params or 0.0 for path in cpt):
            if not out or size > out[-1] * (1.0 + SAME_SIZE):
                out.append(size)
        return tuple(out)

    def add_run(self, name: str) -> None:
        """Add the rows of a run on all its domains."""
        path, view = self.paths[name], None
        for domain in self.fitted[name]:
            steps, loss = self._rows_of(path, domain)
            if not steps.size:
                continue
            if view is None or not np.array_equal(view.steps, steps):
                # Domains are usually evaluated at the same steps.
                view = View(path, steps, self.refs)
                place = self.n_places + np.arange(steps.size)
                self.n_places += steps.size
                for key, columns in self._split(view, domain)["basis"].items():
                    self.basis.setdefault(key, []).append(columns)
            self._add_curve(view, domain, loss, place)

    def _rows_of(self, path: Trajectory, domain: str) -> tuple[NDArray[np.int64], Floats]:
        """Steps and losses to fit."""
        curve = self.study.curve(path.name, domain)
        steps, loss = curve["step"].to_numpy(np.int64), curve["loss"].to_numpy(float)
        # Rows of a shared trunk are fitted once, as rows of the trunk run.
        shared = domain in self.fitted.get(str(path.branch_of), [])
        first = path.branch_step if shared else 0
        if not path.is_cpt:
            skipped = int(self.card.skip_pretraining * (path.nominal_steps or path.n_steps))
            first = max(first, skipped, warmup_end(path.lr))
        steps, loss = steps[steps > first], loss[steps > first]
        kept = evenly_kept(steps / (path.nominal_steps or path.n_steps), self.most)
        return steps[kept], loss[kept]

    def _split(self, view: View, domain: str) -> dict[str, dict[str, Any]]:
        """Features of the law, grouped by their shape."""
        is_target = view.is_cpt and domain == view.trajectory.target
        out: dict[str, dict[str, Any]] = {"segment": {}, "row": {}, "basis": {}}
        for key, value in self.card.law.features(view, is_target).items():
            out[("segment", "row", "basis")[np.ndim(value)]][key] = value
        return out

    def _add_curve(self, view: View, domain: str, loss: Floats, place: NDArray[np.int64]) -> None:
        path, steps = view.trajectory, view.steps
        features = self._split(view, domain)
        if path.name not in self.used:
            self.used.append(path.name)
        self.curves.append((path.name, domain))
        ratio = np.round(view.replay, 12)
        bounds = np.flatnonzero(np.diff(ratio, prepend=np.nan) != 0)
        target, start = (str(path.target), path.start) if path.is_cpt else (None, None)
        same = {
            **{dim: self.labels.place(dim, domain, target, start) for dim in ("domain", "pair")},
            "level": self.labels.place("level", domain, target, start) if path.is_cpt else 0,
            "curve": len(self.curves) - 1,
            "is_cpt": float(path.is_cpt),
            "is_target": float(path.is_cpt and domain == path.target),
            **features["segment"],
        }
        if self.labels.size:
            where = ("sized", domain, target, start, path.n_params)
            same["sized"] = self.labels.place(*where)
        before = len(self.segment.get("first", ()))
        for bound in bounds:
            entry = {**same, "first": self.n_rows + bound, "replay": ratio[bound]}
            for key, value in entry.items():
                self.segment.setdefault(key, []).append(float(value))
        here = np.arange(self.n_rows, self.n_rows + steps.size)
        own = {
            "segment": before - 1 + np.cumsum(np.isin(np.arange(steps.size), bounds)),
            "place": place,
            "fraction": view.fraction,
            "step": steps,
            "run": np.full(steps.size, self.used.index(path.name)),
            "domain": np.full(steps.size, int(same["domain"])),
            "previous": np.maximum(here - 1, self.n_rows),
            "gap": np.diff(view.fraction, prepend=-NO_ROW_BEFORE),
            **features["row"],
        }
        for key, values in own.items():
            self.row.setdefault(key, []).append(values)
        known = self.card.run_effects if self.card.marginal_effects else ()
        pairs = (self.card.law.effects[name] for name in known)
        columns = [effect.ratio * effect.column(term, view) for term, effect in pairs]
        self.effects.append(np.array(columns).reshape(len(columns), steps.size))
        self.losses.append(loss)
        self.n_rows += steps.size

    def rows(self) -> Rows:
        """All rows added so far."""
        if not self.losses:
            raise FitError(
                f"study {self.study.name!r} has no row for card {self.card.name!r}: every curve is "
                f"empty or ends before {self.card.skip_pretraining:.0%} of its run"
            )
        rows = {key: np.concatenate(values) for key, values in self.row.items()}
        rows |= _partners(rows)
        labels = Labels(
            self.labels.domain,
            self.labels.pair,
            self.labels.checkpoint,
            tuple(self.used),
            tuple(self.curves),
            self.labels.size,
        )
        compressed = {key: compress(np.concatenate(parts)) for key, parts in self.basis.items()}
        segment = {
            key: np.array(values, dtype=np.int64 if key in INDEX else float)
            for key, values in self.segment.items()
        }
        loss = np.concatenate(self.losses)
        level = np.where(segment["is_cpt"] > 0, segment["level"], -1)[rows["segment"]]
        pooled = bool(self.card.law.pooled)
        return Rows(
            labels=labels,
            refs=self.refs,
            segment=segment,
            row=rows,
            basis={key: columns for key, (columns, _) in compressed.items()},
            mix={key: mix for key, (_, mix) in compressed.items()},
            loss=loss,
            effects=np.concatenate(self.effects, axis=1),
            start=known_starts(self.study, self.card, labels, self.refs, level, loss),
            covariate=target_covariates(self.study, labels) if pooled else np.empty(0),
        )


def compress(basis: Floats) -> tuple[Floats, Floats]:
    """Low-rank factors of a smooth basis, exact up to rounding.

    Parameters
    ----------
    basis : ndarray, shape (M, J)
        Basis evaluated at the places.

    Returns
    -------
    columns : ndarray, shape (K, M)
        Orthogonal rows times their singular values.
    mix : ndarray, shape (K, J)
        ``columns.T @ mix`` is the basis up to 1e-12 of its largest singular value.
    """
    left, scale, right = svd(basis)
    rank = max(1, int(np.sum(scale > 1e-12 * scale[0])))
    return np.ascontiguousarray((left[:, :rank] * scale[:rank]).T), right[:rank]


def _domains(study: Study, card: Card) -> list[str]:
    """Domains whose losses are fitted, general first."""
    domains = [domain for domain in study.domains if domain not in study.out_of_domain]
    if card.continual and card.domains == "goals":
        goals = dict.fromkeys([study.general, *study.targets])
        domains = [domain for domain in goals if domain in domains]
    return sorted(domains, key=lambda domain: domain != study.general)


def _pt_domains(study: Study, card: Card, name: str, domains: list[str]) -> list[str]:
    """Domains whose rows are fitted in a pre-training run."""
    if not study.is_observed(name):
        return []
    kept = []
    for domain in domains:
        curve = study.curve(name, domain)
        if curve.empty:
            continue
        if card.continual:
            if card.pretraining == "none":
                continue
            late = curve[curve["step"] > 0.5 * curve["step"].max()]["loss"]
            if card.pretraining == "falling" and not (
                len(late) > 2 and late.iloc[-1] < late.iloc[0]
            ):
                continue
        kept.append(domain)
    return kept


def _partners(rows: dict[str, NDArray[np.generic]]) -> dict[str, NDArray[np.generic]]:
    """Row of the first domain at the same run and step."""
    first = {
        (int(run), int(step)): n
        for n, (run, step, domain) in enumerate(
            zip(rows["run"], rows["step"], rows["domain"], strict=True)
        )
        if domain == 0
    }
    own = np.arange(len(rows["step"]))
    keys = zip(rows["run"], rows["step"], strict=True)
    partner = np.array(
        [first.get((int(run), int(step)), n) for n, (run, step) in enumerate(keys)], dtype=np.int64
    )
    return {"partner": partner, "paired": (partner != own).astype(float)}
