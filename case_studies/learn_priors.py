"""Priors of a card's dimensionless parameters, learned from the fleet of real runs.

Every study of the fleet that is no test is fitted by generalised least squares, with errors of
whole runs beside those of single losses, under priors that are the population of all studies: its
mean and spread are estimated along (empirical Bayes). A prior is that population, so a new study is
expected to differ as much as these do. Sizes in nats are left alone: those of larger models differ.
Steps are not a unit that models share: the annealing of larger ones takes longer, so their curves
count as much as the whole fleet there.

    uv run python -m case_studies.learn_priors cpt_replay     # prints [priors] for the card
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayescpt.data import Study, load_example
from bayescpt.inference import fit as sample
from bayescpt.laws.parameter import Parameter
from bayescpt.laws.terms.shift import shift_growth
from bayescpt.laws.trajectory import run_trajectory
from bayescpt.laws.view import View
from bayescpt.model.card import Card
from bayescpt.model.card_file import load_card
from bayescpt.model.priors import Prior, parse_prior
from bayescpt.model.rows import Rows, make_rows
from bayescpt.model.starts import start_shares

Array = NDArray[np.float64]

TARGETS = ("code", "german", "math", "changelog")
SIZES = ("100k", "330k", "1200k")
SPLITS = ("fit", "choose")
# Errors of whole runs, nats, by effect. About a third of what the law leaves: few runs do not fix a
# parameter, and none is explained away.
RUN_ERRORS = {"level": 0.015, "drift": 0.02, "anneal": 0.04}
# Errors of single losses: late ones, and the bump after the re-warm-up.
SIGMA, BUMP, BUMP_WIDTH = 0.01, 8.0, 0.06
# Share of a study that the starting prior counts as, and its spread.
PRIOR_WEIGHT, PRIOR_SPREAD = 0.5, 0.3
POPULATION_STEPS, FIT_STEPS = 4, 40
# Prior spread of the logarithm of the errors' sizes in a study.
SIZE_SPREAD = 1.5
# Bound of their logarithm, either side.
FARTHEST_SIZE = np.log(50.0)
# Pilots resemble each other more than the runs of the fleet, which were made to differ: their part
# of those errors, and the least spread of its logarithm, as larger models have less.
NEAR_SHARE, SIZE_LEAST = 1.0 / 3.0, 0.8
# Pre-training curves of models of 25M and 100M parameters, and the runs of their published split.
LARGER = ("mpl_25m", "mpl_100m")
LARGER_RUNS = ("cosine_24000", "constant_24000", "wsdcon_9")
# Finals of a larger model at six replay ratios, and the relative error of a rise of the loss.
LARGER_FINALS, RISE_ERROR = "ibrahim_405m_german", 0.1
# Kept as they are: where curves do not tell them, they would bend to what the law lacks.
HELD = ("base_ref", "alpha_s1", "kernel_shape")
# Other models and data differ more from the fleet than its studies do from each other.
BEYOND = 1.25


@dataclass(frozen=True, eq=False)
class Entry:
    """One value of a parameter: of the general set, of the target, or of both."""

    parameter: Parameter
    target: bool | None
    prior: Prior | None = None

    @cached_property
    def logarithmic(self) -> bool:
        """Whether the prior lives on the logarithm."""
        return self.parameter.lower >= 0.0

    @cached_property
    def start(self) -> tuple[float, float]:
        """Mean and standard deviation of its prior, or the default one, on this scale."""
        given = {**self.parameter.default, "reason": self.parameter.reason}
        prior = self.prior or parse_prior(given, self.parameter.name)
        drawn = prior.frozen().ppf(np.linspace(0.005, 0.995, 199))
        drawn = np.log(drawn) if self.logarithmic else drawn
        return float(drawn.mean()), float(drawn.std())


@dataclass(frozen=True, eq=False)
class Curve:
    """A curve's rows, whether it is of the target, its noise and the columns of its effects."""

    rows: NDArray[np.int64]
    target: bool
    noise: Array
    columns: Array

    def covariance(self, sizes: Array) -> Array:
        """Covariance of its losses, for sizes of the effects in nats."""
        effects = sizes[:, None] * self.columns
        return np.diag(self.noise**2) + effects.T @ effects


class StudyFit:
    """Least-squares fit of one study.

    Parameters
    ----------
    study : Study
        The study.
    card : Card
        The card.
    entries : sequence of Entry
        What is estimated.
    """

    def __init__(self, study: Study, card: Card, entries: Sequence[Entry]) -> None:
        self.card, self.entries = card, entries
        names = study.runs.loc[study.runs["split"].isin(SPLITS), "run"]
        self.study = study.select([name for name in study.cpt_runs if name in set(names)])
        self.rows: Rows = make_rows(self.study, card)
        labels, segment = self.rows.labels, self.rows.segment
        here = self.rows.row["segment"]
        target = segment["is_target"][here] > 0
        general = np.array(labels.domain)[segment["domain"][here]] == study.general
        self.kept = np.flatnonzero(target | general)
        curve = np.asarray(self.rows.segment["curve"])[here]
        self.curves = [self._curve(np.flatnonzero(curve == c)) for c in np.unique(curve[self.kept])]
        sizes = np.array(list(RUN_ERRORS.values()))
        self.white = [np.linalg.inv(np.linalg.cholesky(c.covariance(sizes))) for c in self.curves]

    def _curve(self, rows: NDArray[np.int64]) -> Curve:
        """A curve's rows, the noise of its losses, and what effects of 1 nat do to them."""
        segment = int(self.rows.row["segment"][rows[0]])
        run, _ = self.rows.labels.curve[int(self.rows.segment["curve"][segment])]
        path = run_trajectory(self.study, run, self.rows.refs.warmup)
        view = View(path, np.asarray(self.rows.row["step"])[rows], self.rows.refs)
        known = (self.card.law.effects[name] for name in RUN_ERRORS)
        columns = np.array([effect.column(term, view) for term, effect in known])
        noise = SIGMA * (1.0 + BUMP * np.exp(-view.fraction / BUMP_WIDTH))
        return Curve(rows, bool(self.rows.segment["is_target"][segment] > 0), noise, columns)

    def values(self, at: Array) -> dict[str, Any]:
        """Parameters of the law by name, in the shape of their dimensions.

        Parameters
        ----------
        at : ndarray, shape (entries,)
            Values on the scales of the entries.

        Returns
        -------
        dict
        """
        labels = self.rows.labels
        level = self.rows.start["loss"]
        shares = start_shares(self.rows.segment, level.size)
        out: dict[str, Any] = {"start_level": level, "start_mean": shares @ level}
        for entry, value in zip(self.entries, at, strict=True):
            parameter = entry.parameter
            number = np.exp(value) if entry.logarithmic else value
            if not parameter.dims:
                out[parameter.name] = np.float64(number)
                continue
            places = labels.coords()[parameter.dims[0]]
            whole = out.setdefault(parameter.name, np.full(len(places), number))
            for n, place in enumerate(places):
                target = place.partition("|")[0] in self.study.targets
                if entry.target is None or entry.target == target:
                    whole[n] = number
        for parameter in self.card.law.parameters:
            # Deviations of sizes, of which a study has too few to tell.
            shape = [len(labels.coords()[dim]) for dim in parameter.dims]
            out.setdefault(parameter.name, np.zeros(shape))
        return out

    def residuals(self, at: Array) -> Array:
        """Observed less expected losses.

        Parameters
        ----------
        at : ndarray, shape (entries,)
            Values on the scales of the entries.

        Returns
        -------
        ndarray, shape (rows,)
            Nats.
        """
        law, rows = self.card.law, self.rows
        values = self.values(at)
        segment = dict(rows.segment)
        here = rows.row["segment"]
        own = {}
        for name, value in values.items():
            dims = law.dims.get(name, ())
            own[name] = value[segment[dims[0]]] if dims else value
        coefficients = {
            slot: {k: v[here] if np.ndim(v) else v for k, v in part.items()}
            for slot, part in law.coefficients(own, segment).items()
        }
        features = {k: v[here] for k, v in segment.items()} | dict(rows.row)
        for name, weights in law.weights(values, rows.refs).items():
            columns = (rows.mix[name] @ weights) @ rows.basis[name]
            features[name] = columns[rows.row["place"]]
        residual = rows.loss - law.rows(coefficients, features)
        return residual

    def errors(self, at: Array) -> Array:
        """Standardised errors of all kept rows, for values on the scales of the entries."""
        residual = self.residuals(at)
        pairs = zip(self.curves, self.white, strict=True)
        return np.concatenate([white @ residual[curve.rows] for curve, white in pairs])

    def sizes(self, at: Array, target: bool) -> Array:
        """Most likely sizes of the errors of whole runs, as logarithms.

        Parameters
        ----------
        at : ndarray, shape (entries,)
            Values on the scales of the entries.
        target : bool
            Of the target, or of the general set.

        Returns
        -------
        ndarray, shape (effects,)
            Under a wide prior around `RUN_ERRORS`.
        """
        from scipy.optimize import minimize
        from scipy.stats import multivariate_normal

        residual, center = self.residuals(at), np.log(list(RUN_ERRORS.values()))
        own = [curve for curve in self.curves if curve.target == target]

        def _loss(z: Array) -> float:
            total = 0.5 * float(z @ z) / SIZE_SPREAD**2
            for curve in own:
                covariance = curve.covariance(np.exp(center + z))
                total -= multivariate_normal.logpdf(residual[curve.rows], cov=covariance)
            return total

        # Within a factor of 50: far outside, the covariance is numerically singular.
        within = [(-FARTHEST_SIZE, FARTHEST_SIZE)] * center.size
        found = minimize(_loss, np.zeros(center.size), method="L-BFGS-B", bounds=within)
        return np.asarray(center + found.x)

    def fit(self, mean: Array, sd: Array, start: Array) -> tuple[Array, Array]:
        """Mode under a prior, and the covariance there.

        Parameters
        ----------
        mean, sd, start : ndarray, shape (entries,)
            Prior, and where to start.

        Returns
        -------
        mode : ndarray, shape (entries,)
        covariance : ndarray, shape (entries, entries)
        """
        from scipy.optimize import least_squares

        def _errors(z: Array) -> Array:
            return np.concatenate([self.errors(mean + sd * z), z])

        begin = np.clip((start - mean) / sd, -4.0, 4.0)
        found = least_squares(_errors, begin, bounds=(-5.0, 5.0), max_nfev=FIT_STEPS)
        covariance = np.linalg.inv(found.jac.T @ found.jac)
        return mean + sd * found.x, sd[:, None] * covariance * sd


def entries_of(card: Card, own_priors: bool = False) -> list[Entry]:
    """What is estimated of a card's law.

    Parameters
    ----------
    card : Card
        The card.
    own_priors : bool
        Start from the card's priors in place of the parameters' defaults.

    Returns
    -------
    list of Entry
        Two for a parameter that both the general set and the target have.
    """
    out: list[Entry] = []
    names = {parameter.name for parameter in card.law.parameters}
    for parameter in card.law.parameters:
        prior = card.priors[parameter.name] if own_priors else None
        if "sized" in parameter.dims or f"{parameter.name[:-3]}_offset" in names:
            continue
        if not parameter.dims:
            out.append(Entry(parameter, None, prior))
            continue
        out += [
            Entry(parameter, target, prior)
            for target in (False, True)
            if card.law.uses(parameter.name, target)
        ]
    return out


@dataclass(frozen=True, eq=False)
class Population:
    """What a card's parameters are over studies.

    Attributes
    ----------
    entries : list of Entry
        The parameters.
    mean, sd : ndarray, shape (entries,)
        Of the population, on each entry's scale.
    by_study : ndarray, shape (studies, entries)
        Estimates.
    sizes : ndarray, shape (studies, 2, effects)
        Logarithms of the sizes of errors of whole runs, of general set and target, nats.
    """

    entries: list[Entry]
    mean: Array
    sd: Array
    by_study: Array
    sizes: Array

    def shared(self, name: str) -> tuple[float, float]:
        """Mean and spread that general set and target share: the mixture of both populations.

        Parameters
        ----------
        name : str
            A parameter.

        Returns
        -------
        center, spread : float
            On the scale of its entries.
        """
        own = [k for k, entry in enumerate(self.entries) if entry.parameter.name == name]
        center = float(np.mean(self.mean[own]))
        return center, float(np.sqrt(np.mean(self.sd[own] ** 2 + (self.mean[own] - center) ** 2)))


def learn(
    studies: Sequence[Study],
    card: Card,
    report: Any = None,
    steps: int = POPULATION_STEPS,
    own_priors: bool = False,
) -> Population:
    """Population of the parameters over studies.

    Parameters
    ----------
    studies : sequence of Study
        Studies with a column ``split`` of runs.
    card : Card
        The card, for its law; the default priors of the parameters are the starting point.
    report : callable, optional
        Called with a line of progress.
    steps : int
        Rounds of estimating the studies and the population.
    own_priors : bool
        Start from the card's priors in place of the parameters' defaults.

    Returns
    -------
    Population
    """
    entries = entries_of(card, own_priors)
    first = np.array([entry.start for entry in entries])
    mean, sd = first.T.copy()
    fits = [StudyFit(study, card, entries) for study in studies]
    at = np.tile(mean, (len(fits), 1))
    for step in range(steps):
        variance = np.empty_like(at)
        for k, fit in enumerate(fits):
            at[k], covariance = fit.fit(mean, sd, at[k])
            variance[k] = np.diag(covariance)
        n = len(fits)
        mean = (at.sum(axis=0) + PRIOR_WEIGHT * first[:, 0]) / (n + PRIOR_WEIGHT)
        spread = ((at - mean) ** 2 + variance).sum(axis=0) + (PRIOR_SPREAD * first[:, 1]) ** 2
        sd = np.sqrt(spread / (n + 1.0))
        held = np.array([entry.parameter.name in HELD for entry in entries])
        mean, sd = np.where(held, first.T, [mean, sd])
        if report:
            report(f"step {step + 1} of {steps}")
    pairs = zip(fits, at, strict=True)
    sizes = [[fit.sizes(one, side) for side in (False, True)] for fit, one in pairs]
    return Population(entries, mean, sd, at, np.array(sizes))


def larger_half_times(draws: int = 500) -> Array:
    """Half-way time of annealing on the curves of larger models.

    Parameters
    ----------
    draws : int
        Per chain.

    Returns
    -------
    ndarray, shape (studies,)
        Posterior means of ``log_half``, in log steps.
    """
    halves = []
    for name in LARGER:
        study = load_example(name).select(list(LARGER_RUNS))
        made = sample(study, "annealing", draws=draws, tune=draws, progress=False)
        halves.append(float(made.posterior["log_half"].mean()))
    return np.array(halves)


def larger_forgetting(found: Population) -> float:
    """What a larger model forgets without replay, from its rises of the general loss by replay.

    Parameters
    ----------
    found : Population
        From `learn`, of a card with ``forgetting_ref``: the prior of the exponents.

    Returns
    -------
    float
        Logarithm of ``forgetting_ref``: the mode where it is free.
    """
    from scipy.optimize import least_squares

    table = load_example(LARGER_FINALS)
    loss = table.curves.loc[table.curves["domain"] == table.general].set_index("run")["loss"]
    cpt = table.runs[table.runs["phase"] == "cpt"].set_index("run")
    rise = loss[cpt.index].to_numpy() - float(loss[cpt["parent"].iloc[0]])
    replay = cpt["replay_ratio"].to_numpy(dtype=float)
    kinds = {(entry.parameter.name, entry.target): k for k, entry in enumerate(found.entries)}
    priors = [kinds[name, False] for name in ("share_gamma", "keep_power")]

    def _errors(at: Array) -> Array:
        log_size, log_forgotten = at[:2]
        gamma, power = found.mean[priors] + found.sd[priors] * at[2:]
        kept = np.where(replay > 0.0, replay ** np.exp(power), 0.0)
        beta = np.exp(log_forgotten) / np.log(2.0)  # an onset of 1: only their product counts
        law = shift_growth(1.0, 1.0, beta, np, gamma, kept)
        return np.concatenate([(log_size + np.log(law / rise)) / RISE_ERROR, at[2:]])

    return float(least_squares(_errors, [0.0, 1.0, 0.0, 0.0]).x[1])


def priors_text(found: Population, card: Card, larger: Array) -> str:
    """``[priors]`` of a card, as TOML.

    Parameters
    ----------
    found : Population
        From `learn`.
    card : Card
        Its starting priors.
    larger : ndarray, shape (studies,)
        From `larger_half_times`.

    Returns
    -------
    str
        Without sizes of terms in nats and what is held.
    """
    lines = ["[priors]"]

    def _add(name: str, dist: str, center: float, spread: float, more: str = "") -> None:
        lines.append(
            f'{name} = {{ dist = "{dist}", mu = {center:.3g}, sigma = {BEYOND * spread:.3g}, '
            f'{_bounds(name)}reason = "population of {len(found.by_study)} studies of the fleet'
            f'{more}: case_studies/learn_priors.py" }}'
        )

    def _bounds(name: str) -> str:
        default = {p.name: p.default for p in card.law.parameters}.get(name, {})
        given = (f"{key} = {default[key]}, " for key in ("lower", "upper") if key in default)
        return "".join(given)

    kinds = {entry.parameter.name: entry for entry in found.entries}
    for name, entry in kinds.items():
        if entry.parameter.unit == "nat" or name in HELD:
            continue
        center, spread = found.shared(name)
        if name == "log_half":
            # Two kinds of models, which count alike.
            apart, within = larger.mean() - center, spread**2 + larger.var()
            center, spread = center + apart / 2.0, float(np.sqrt(apart**2 / 4.0 + within / 2.0))
            _add(name, "Normal", center, spread, " and of two studies of larger models, alike")
            continue
        if name == "forgetting_ref":
            n, away = len(found.by_study), larger_forgetting(found) - center
            center, spread = (
                center + away / (n + 1),
                np.sqrt((spread**2 + away**2 / (n + 1)) * n / (n + 1)),
            )
            _add(name, "LogNormal", center, spread, " and of a larger model")
            continue
        _add(name, "LogNormal" if entry.logarithmic else "Normal", center, spread)
    if card.marginal_effects:
        ratios = [card.law.effects[name][1].ratio for name in RUN_ERRORS]
        sizes = (found.sizes - np.log(ratios)).mean(axis=2)
        center = float(sizes.mean()) + np.log(NEAR_SHARE)
        _add("run_sd", "LogNormal", center, max(SIZE_LEAST, float(sizes.std())))
    return "\n".join(lines)


def main(arguments: Sequence[str]) -> None:
    """Print the priors of a card; on standard error, the estimates of every study.

    Parameters
    ----------
    arguments : sequence of str
        The card, and targets to leave out.
    """
    card = load_card(arguments[0] if arguments else "cpt_replay")
    left_out = set(arguments[1:])
    names = [f"fleet_{t}_{s}" for t in TARGETS if t not in left_out for s in SIZES]
    studies = [load_example(name) for name in names]

    def _say(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    found = learn(studies, card, _say)
    for k, entry in enumerate(found.entries):
        what = {None: "", False: " general", True: " target"}[entry.target]
        scale = "log " if entry.logarithmic else ""
        _say(
            f"{scale}{entry.parameter.name}{what}: {found.mean[k]:.2f} +- {found.sd[k]:.2f}; "
            "studies " + " ".join(f"{value:.2f}" for value in found.by_study[:, k])
        )
    for k, name in enumerate(RUN_ERRORS):
        for side, what in enumerate(("general", "target")):
            sizes = " ".join(f"{value:.3f}" for value in np.exp(found.sizes[:, side, k]))
            _say(f"error of whole runs {name} {what}, nats: {sizes}")
    print(priors_text(found, card, larger_half_times()))


if __name__ == "__main__":
    main(sys.argv[1:])
