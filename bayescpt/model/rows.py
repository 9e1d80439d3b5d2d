"""Rows of the likelihood: the arrays that a model sees of a study."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bayescpt.data.areas import warmup_end
from bayescpt.errors import FitError
from bayescpt.laws.annealing import N_NODES, RATES
from bayescpt.laws.features import (
    Features,
    References,
    area_before,
    features,
    references,
    run_path,
    warming,
)

if TYPE_CHECKING:
    from bayescpt.data import Study
    from bayescpt.model.card import Card

Floats = NDArray[np.float64]

# Nats; the loss moves by about this much in the first steps of a run.
UNMEASURED_SD = 1.0
# Runs. Where a curve begins there is no row before; inf would make NaN of the gradient.
NO_ROW_BEFORE = 1e6


@dataclass(frozen=True)
class Labels:
    """Names along the model's dimensions.

    Attributes
    ----------
    domain : tuple of str
        Evaluated domains, general first.
    pair : tuple of (str, str)
        (evaluated domain, target of the run).
    checkpoint : tuple of str
        Runs whose end checkpoints CPT runs start from.
    run : tuple of str
        Fitted runs.
    curve : tuple of (str, str)
        Fitted curves: (run, evaluated domain).
    """

    domain: tuple[str, ...]
    pair: tuple[tuple[str, str], ...]
    checkpoint: tuple[str, ...]
    run: tuple[str, ...]
    curve: tuple[tuple[str, str], ...]

    @property
    def level_names(self) -> tuple[str, ...]:
        """Start levels as text: ``checkpoint|general``."""
        return tuple(f"{start}|{domain}" for start in self.checkpoint for domain in self.domain)

    @property
    def curve_names(self) -> tuple[str, ...]:
        """Curves as text: ``run|general``."""
        return tuple(f"{run}|{domain}" for run, domain in self.curve)

    @property
    def pair_names(self) -> tuple[str, ...]:
        """Pairs as text: ``general|german``."""
        return tuple(f"{domain}|{target}" for domain, target in self.pair)


@dataclass(frozen=True)
class Rows:
    """Everything of a study that enters the likelihood.

    A segment is a (run, domain, replay ratio) whose rows share all parameters; rows are sorted by
    segment and step. Capitals give shapes: N rows, S segments, M places (a step of a run, whatever
    the domains that were evaluated there), J nodes of the annealing kernel, K columns that are left
    of the J after compression.

    Attributes
    ----------
    labels : Labels
        Names along the dimensions.
    refs : References
        Reference points.
    segment : dict of ndarray, shape (S,)
        ``first`` (row), ``level`` (into checkpoint x domain, then domain), ``domain``, ``pair``,
        ``curve`` (into `Labels.curve`), ``is_cpt``, ``is_target``, ``replay``, ``log_area_start``,
        ``rise`` and ``log_peak`` (`bayescpt.laws.features.warming`).
    row : dict of ndarray, shape (N,)
        ``segment``, ``log_area``, ``shift_area``, ``fraction``, ``step``, ``place`` (into `anneal`,
        consecutive along a segment),
        ``previous`` (row before in the same run and domain, or itself), ``gap`` (its distance as a
        fraction of the run; 1e6 for none), ``partner`` (general row of the same run and step, or
        itself), ``paired``.
    anneal : ndarray, shape (K, M)
        ``anneal.T @ anneal_mix`` is the annealing area at the nodes.
    anneal_mix : ndarray, shape (K, J)
        See `anneal`.
    loss : ndarray, shape (N,)
        Observed losses, nats per token.
    start : dict of ndarray
        Of each start checkpoint: ``loss`` and ``sd``, shape (checkpoint x domain,), what is known
        of its level; ``log_area``, shape (checkpoint,), and ``anneal``, shape (checkpoint, J),
        where it stands on its own curve.
    """

    labels: Labels
    refs: References
    segment: dict[str, NDArray[np.generic]]
    row: dict[str, NDArray[np.generic]]
    anneal: Floats
    anneal_mix: Floats
    loss: Floats
    start: dict[str, Floats]


def card_references(study: Study, card: Card) -> References:
    """Reference points of a study under a card.

    Parameters
    ----------
    study : Study
        The study to fit.
    card : Card
        Which components.

    Returns
    -------
    refs : References
        Of the runs that the card fits.
    """
    own_rewarm = card.law["rewarm"] == "own"
    return references(study, card.warmup, card.law["annealing"], own_rewarm, card.has_shift)


def make_rows(study: Study, card: Card, refs: References | None = None) -> Rows:
    """Arrays of a study under a card.

    Rows at step 0 of a CPT run are the start checkpoint's measurement, one number however many runs
    repeat it: they enter as `Rows.start_loss`, not as rows.

    Parameters
    ----------
    study : Study
        The study to fit.
    card : Card
        Which rows to take.
    refs : References, optional
        By default those of the study.

    Returns
    -------
    Rows

    Raises
    ------
    FitError
        If the study has no row that the card can use.
    """
    refs = refs or card_references(study, card)
    domains = _domains(study, card)
    cpt = [name for name in study.cpt_runs if study.is_observed(name)] if card.has_shift else []
    if card.has_shift and not cpt:
        raise FitError(
            f"study {study.name!r} has no continual pre-training run with a curve, which card "
            f"{card.name!r} describes; for pre-training curves use card 'annealing'"
        )
    pt = {name: _pt_domains(study, card, name, domains) for name in study.pt_runs}
    fitted = [*cpt, *(name for name, kept in pt.items() if kept)]
    paths = {name: run_path(study, name, card.warmup) for name in fitted}
    checkpoints = list(dict.fromkeys(str(paths[name].start) for name in cpt))
    pairs = list(
        dict.fromkeys((domain, str(paths[name].target)) for name in cpt for domain in domains)
    )

    segment: dict[str, list[float]] = {key: [] for key in _SEGMENT}
    row: dict[str, list[NDArray[np.generic]]] = {key: [] for key in _ROW}
    losses: list[Floats] = []
    areas: list[Floats] = []
    curves: list[tuple[str, str]] = []
    used: list[str] = []
    for name in fitted:
        path = paths[name]
        is_cpt = path.phase == "cpt"
        rise, log_peak = warming(path, refs)
        seen: Features | None = None
        place = np.arange(0)
        for domain in domains if is_cpt else pt[name]:
            curve = study.curve(name, domain)
            steps, loss = curve["step"].to_numpy(np.int64), curve["loss"].to_numpy(float)
            # Rows of a shared trunk are the trunk run's own rows: once is enough.
            trunk = str(path.branch_of)
            shared = domain in (domains if trunk in cpt else pt.get(trunk, []))
            first = path.branch_step if shared else 0
            if not is_cpt:
                first = max(first, int(card.skip_pretraining * path.n_steps), warmup_end(path.lr))
            keep = steps > first
            steps, loss = steps[keep], loss[keep]
            if not steps.size:
                continue
            if seen is None or not np.array_equal(seen.steps, steps):
                # Domains are mostly evaluated at the same steps.
                seen = features(path, steps, refs)
                place = sum(map(len, areas)) + np.arange(steps.size)
                areas.append(seen.anneal)
            ratio = np.round(seen.replay, 12)
            bounds = np.flatnonzero(np.diff(ratio, prepend=np.nan) != 0)
            start = len(segment["level"])
            index = start - 1 + np.cumsum(np.isin(np.arange(steps.size), bounds))
            d = domains.index(domain)
            curves.append((name, domain))
            if name not in used:
                used.append(name)
            level = (
                checkpoints.index(str(path.start)) * len(domains) + d
                if is_cpt
                else len(checkpoints) * len(domains) + d
            )
            target = str(path.target)
            offset = sum(map(len, losses))
            for bound in bounds:
                for key, value in {
                    "first": offset + bound,
                    "level": level,
                    "domain": d,
                    "pair": pairs.index((domain, target)) if is_cpt else 0,
                    "curve": curves.index((name, domain)),
                    "is_cpt": float(is_cpt),
                    "is_target": float(domain == target),
                    "replay": ratio[bound],
                    "log_area_start": seen.log_area_start,
                    "rise": rise,
                    "log_peak": log_peak,
                }.items():
                    segment[key].append(value)
            here = np.arange(offset, offset + steps.size)
            gap = np.diff(seen.fraction, prepend=-NO_ROW_BEFORE)
            for key, values in {
                "segment": index,
                "log_area": seen.log_area,
                "shift_area": getattr(seen, card.area_name(domain == target)),
                "place": place,
                "fraction": seen.fraction,
                "step": steps,
                "run": np.full(steps.size, used.index(name)),
                "domain": np.full(steps.size, d),
                "previous": np.maximum(here - 1, offset),
                "gap": gap,
            }.items():
                row[key].append(values)
            losses.append(loss)
    if not losses:
        raise FitError(
            f"study {study.name!r} has no row for card {card.name!r}: every curve is empty, or "
            f"ends before {card.skip_pretraining:.0%} of its run"
        )
    rows = {key: np.concatenate(values) for key, values in row.items() if key in _ROW}
    rows |= _partners(rows)
    columns, mix = compress(np.concatenate(areas))
    observed = np.concatenate(losses)
    labels = Labels(tuple(domains), tuple(pairs), tuple(checkpoints), tuple(used), tuple(curves))
    return Rows(
        labels=labels,
        refs=refs,
        segment={
            key: np.array(values, dtype=np.int64 if key in _INTEGER else float)
            for key, values in segment.items()
        },
        row=rows,
        anneal=columns,
        anneal_mix=mix,
        loss=observed,
        start=_starts(study, card, labels, refs, rows, observed, segment),
    )


_INTEGER = ("first", "level", "domain", "pair", "curve")
_SEGMENT = (*_INTEGER, "is_cpt", "is_target", "replay", "log_area_start", "rise", "log_peak")
_ROW = (
    "segment", "log_area", "shift_area", "place", "fraction", "step", "run", "domain",
    "previous", "gap",
)  # fmt: skip


def compress(basis: Floats) -> tuple[Floats, Floats]:
    """Factors of a smooth basis with as few columns as carry it to rounding.

    Parameters
    ----------
    basis : ndarray, shape (M, J)
        Annealing area at the nodes.

    Returns
    -------
    columns : ndarray, shape (K, M)
        Orthogonal rows times their singular values.
    mix : ndarray, shape (K, J)
        ``columns.T @ mix`` is the basis to 1e-12 of its largest singular value.
    """
    left, scale, right = np.linalg.svd(basis, full_matrices=False)
    rank = max(1, int(np.sum(scale > 1e-12 * scale[0])))
    return np.ascontiguousarray((left[:, :rank] * scale[:rank]).T), right[:rank]


def _domains(study: Study, card: Card) -> list[str]:
    seen = list(study.domains)
    if card.has_shift and card.domains == "goals":
        wanted = [study.general, *study.targets]
        seen = [domain for domain in dict.fromkeys(wanted) if domain in seen]
    return sorted(seen, key=lambda domain: domain != study.general)


def _pt_domains(study: Study, card: Card, name: str, domains: list[str]) -> list[str]:
    """Domains of a pre-training run whose rows are fitted."""
    if not study.is_observed(name):
        return []
    kept = []
    for domain in domains:
        curve = study.curve(name, domain)
        if curve.empty:
            continue
        if card.has_shift:
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


def _starts(
    study: Study,
    card: Card,
    labels: Labels,
    refs: References,
    rows: dict[str, NDArray[np.generic]],
    loss: Floats,
    segment: dict[str, list[float]],
) -> dict[str, Floats]:
    """What is known of the start checkpoints."""
    n_domains = len(labels.domain)
    level = np.array(segment["level"])[rows["segment"]]
    known = np.zeros(len(labels.level_names))
    spread = np.full(known.shape, card.level_sd)
    log_area = np.zeros(len(labels.checkpoint))
    anneal_columns = N_NODES if refs.kernel == "momentum" else RATES.size
    anneal = np.zeros((len(labels.checkpoint), anneal_columns))
    for c, name in enumerate(labels.checkpoint):
        path = run_path(study, name)
        end = features(path, np.array([path.n_steps]), refs)
        log_area[c] = np.log(area_before(study, name, refs.warmup) / refs.area)
        anneal[c] = end.anneal[0]
        for d, domain in enumerate(labels.domain):
            measured = study.checkpoint_loss(name, domain)
            if measured is None:
                # Nothing was measured there: the first row of a run from it tells the region.
                here = np.flatnonzero(level == c * n_domains + d)
                measured = float(loss[here[0]]) if here.size else 3.0
                spread[c * n_domains + d] = UNMEASURED_SD
            known[c * n_domains + d] = measured
    return {"loss": known, "sd": spread, "log_area": log_area, "anneal": anneal}
