"""Priors of a card's dimensionless parameters, learned from the fleet of real runs.

Every study of the fleet that is no test is fitted by generalised least squares, with errors of
whole runs beside those of single losses, under priors that are the population of all studies: its
mean and spread are estimated along (empirical Bayes). A prior is that population, so a new study is
expected to differ as much as these do. Sizes in nats are left alone: those of larger models differ.

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
from bayescpt.laws.parameter import Parameter
from bayescpt.laws.trajectory import run_trajectory
from bayescpt.laws.view import View
from bayescpt.model.card import Card
from bayescpt.model.card_file import load_card
from bayescpt.model.priors.prior import parse_prior
from bayescpt.model.rows import Rows, make_rows

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
# Kept as they are: where curves do not tell them, they would bend to what the law lacks.
HELD = ("base_ref", "alpha_s1", "kernel_shape")
# Other models and data differ more from the fleet than its studies do from each other.
BEYOND = 1.25


@dataclass(frozen=True, eq=False)
class Entry:
    """One value of a parameter: of the general set, of the target, or of both."""

    parameter: Parameter
    target: bool | None

    @cached_property
    def logarithmic(self) -> bool:
        """Whether the prior lives on the logarithm."""
        return self.parameter.lower >= 0.0

    @cached_property
    def start(self) -> tuple[float, float]:
        """Mean and standard deviation of the parameter's default prior on this scale."""
        given = {**self.parameter.default, "reason": self.parameter.reason}
        prior = parse_prior(given, self.parameter.name)
        drawn = prior.frozen().ppf(np.linspace(0.005, 0.995, 199))
        drawn = np.log(drawn) if self.logarithmic else drawn
        return float(drawn.mean()), float(drawn.std())


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
        self.white = [self._whitening(k) for k in np.unique(here[self.kept])]

    def _whitening(self, k: int) -> tuple[NDArray[np.int64], Array]:
        """Rows of a segment, and what makes their errors independent and of size 1."""
        rows = np.flatnonzero(self.rows.row["segment"] == k)
        run, _ = self.rows.labels.curve[int(self.rows.segment["curve"][k])]
        path = run_trajectory(self.study, run, self.rows.refs.warmup)
        view = View(path, np.asarray(self.rows.row["step"])[rows], self.rows.refs)
        law = self.card.law
        known = ((*law.effects[name], size) for name, size in RUN_ERRORS.items())
        columns = np.array([size * effect.column(term, view) for term, effect, size in known])
        noise = SIGMA * (1.0 + BUMP * np.exp(-view.fraction / BUMP_WIDTH))
        covariance = np.diag(noise**2) + columns.T @ columns
        return rows, np.linalg.inv(np.linalg.cholesky(covariance))

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
        out: dict[str, Any] = {"start_level": self.rows.start["loss"]}
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
        return out

    def errors(self, at: Array) -> Array:
        """Standardised errors of all rows.

        Parameters
        ----------
        at : ndarray, shape (entries,)
            Values on the scales of the entries.

        Returns
        -------
        ndarray, shape (kept rows,)
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
        return np.concatenate([white @ residual[k] for k, white in self.white])

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


def entries_of(card: Card) -> list[Entry]:
    """What is estimated of a card's law.

    Parameters
    ----------
    card : Card
        The card.

    Returns
    -------
    list of Entry
        Two for a parameter that both the general set and the target have.
    """
    out = []
    for parameter in card.law.parameters:
        if not parameter.dims:
            out.append(Entry(parameter, None))
            continue
        out += [
            Entry(parameter, target)
            for target in (False, True)
            if card.law.uses(parameter.name, target)
        ]
    return out


def learn(
    studies: Sequence[Study], card: Card, report: Any = None
) -> tuple[list[Entry], Array, Array, Array]:
    """Population of the parameters over studies.

    Parameters
    ----------
    studies : sequence of Study
        Studies with a column ``split`` of runs.
    card : Card
        The card, for its law; the default priors of the parameters are the starting point.
    report : callable, optional
        Called with a line of progress.

    Returns
    -------
    entries : list of Entry
    mean, sd : ndarray, shape (entries,)
        Of the population, on each entry's scale.
    by_study : ndarray, shape (studies, entries)
        Estimates.
    """
    entries = entries_of(card)
    first = np.array([entry.start for entry in entries])
    mean, sd = first.T.copy()
    fits = [StudyFit(study, card, entries) for study in studies]
    at = np.tile(mean, (len(fits), 1))
    for step in range(POPULATION_STEPS):
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
            report(f"step {step + 1} of {POPULATION_STEPS}")
    return entries, mean, sd, at


def priors_text(entries: Sequence[Entry], mean: Array, sd: Array, card: Card, n: int) -> str:
    """``[priors]`` of a card, as TOML.

    Parameters
    ----------
    entries : sequence of Entry
        What was estimated.
    mean, sd : ndarray, shape (entries,)
        Population.
    card : Card
        Its starting priors.
    n : int
        Number of studies.

    Returns
    -------
    str
        Without sizes in nats and what is held.
    """
    lines = []
    for name in dict.fromkeys(entry.parameter.name for entry in entries):
        own = [k for k, entry in enumerate(entries) if entry.parameter.name == name]
        parameter = entries[own[0]].parameter
        # General set and target share a prior: the mixture of both populations.
        center = float(np.mean(mean[own]))
        spread = float(np.sqrt(np.mean(sd[own] ** 2 + (mean[own] - center) ** 2)))
        if parameter.unit == "nat" or name in HELD:
            continue
        spread *= BEYOND
        dist = "LogNormal" if entries[own[0]].logarithmic else "Normal"
        lines.append(
            f'{name} = {{ dist = "{dist}", mu = {center:.3g}, sigma = {spread:.3g}, '
            f'reason = "population of {n} studies of the fleet: case_studies/learn_priors.py" }}'
        )
    return "\n".join(["[priors]", *lines])


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

    entries, mean, sd, at = learn(studies, card, _say)
    for k, entry in enumerate(entries):
        what = {None: "", False: " general", True: " target"}[entry.target]
        scale = "log " if entry.logarithmic else ""
        _say(
            f"{scale}{entry.parameter.name}{what}: {mean[k]:.2f} +- {sd[k]:.2f}; studies "
            + " ".join(f"{value:.2f}" for value in at[:, k])
        )
    print(priors_text(entries, mean, sd, card, len(studies)))


if __name__ == "__main__":
    main(sys.argv[1:])
