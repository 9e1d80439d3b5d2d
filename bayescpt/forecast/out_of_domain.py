"""Out-of-domain sets of a fit: their combinations, and their curves in forecasts."""

from __future__ import annotations

import hashlib
from functools import lru_cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bayescpt.data import Study
from bayescpt.forecast.combination import Combination, Deviations, SetRows, fit_combination
from bayescpt.forecast.noise import plan_rng
from bayescpt.forecast.possible import possible
from bayescpt.forecast.posterior import Draws
from bayescpt.laws.trajectory import Trajectory
from bayescpt.model.thinning import evenly_kept

Array = NDArray[np.float64]

# The first part of a run, after the re-warm-up, is no combination yet; used where there is no more.
FIRST = 0.1
# Losses of a run that are used: they are not independent, and more would tell little more.
MOST = 40
LEVELS = (0.05, 0.95)


def set_rows(study: Study, domain: str, target: str) -> list[SetRows]:
    """Losses of a set at steps where the general and the target loss were measured too.

    Parameters
    ----------
    study : Study
        The study.
    domain : str
        The set.
    target : str
        Target of the runs.

    Returns
    -------
    list of SetRows
        By run of continual pre-training on that target: after its first tenth, if there is a loss,
        and after the steps that it shares with another run.
    """
    out = []
    for name in study.cpt_runs:
        run = study.run(name)
        if run.domain != target:
            continue
        curves = [
            study.curve(name, one).set_index("step")["loss"]
            for one in (str(study.general), target, domain)
        ]
        common = pd.concat(curves, axis=1, join="inner").sort_index()
        steps, table = common.index.to_numpy(np.int64), common.to_numpy(float)
        fraction = steps / float(run.steps or max(steps, default=1))
        shared = run.branch_step if run.branch_of in study else 0
        own = steps > shared
        late = own & (fraction > FIRST)
        kept = np.flatnonzero(late if late.any() else own)
        kept = kept[evenly_kept(fraction[kept], MOST)]
        if kept.size:
            out.append(SetRows(name, fraction[kept], table[kept, :2], table[kept, 2]))
    return out


@lru_cache(maxsize=64)
def combination(study: Study, domain: str, target: str, size: int) -> Combination | None:
    """Posterior of the combination that a set is, for runs on one target.

    Parameters
    ----------
    study : Study
        The fitted study.
    domain : str
        The set.
    target : str
        Target of the runs.
    size : int
        Number of draws.

    Returns
    -------
    Combination or None
        None where no run has the set, the general and the target loss at one step.
    """
    rows = set_rows(study, domain, target)
    if not rows:
        return None
    # The same for all forecasts of a fit: plans are compared draw by draw.
    words = hashlib.sha256(repr((domain, target)).encode()).digest()
    return fit_combination(rows, size, np.random.default_rng(np.frombuffer(words, np.uint32)))


class SetCurves:
    """Losses of the out-of-domain sets along one plan.

    Parameters
    ----------
    draws : Draws
        Posterior with its study.
    path : Trajectory
        Trajectory of the plan.
    seed : int
        Seed of the noise.
    """

    def __init__(self, draws: Draws, path: Trajectory, seed: int) -> None:
        self._draws = draws
        self._parts: list[tuple[Combination, Deviations] | None] = []
        known = path.run if draws.sets and draws.is_fitted(path) else None
        self._of = combined_of(draws, path)
        for domain in draws.sets:
            found = None
            if self._of is not None:
                found = combination(draws.study, domain, str(path.target), draws.size)
            if found is None:
                self._parts.append(None)
                continue
            rng = plan_rng(seed, f"{path.name}|{domain}")
            self._parts.append((found, Deviations(found, rng, known)))

    def expected(self, mu: Array) -> Array:
        """Expected losses of the sets.

        Parameters
        ----------
        mu : ndarray, shape (domains, draws, ...)
            Losses on the domains of the law, nats.

        Returns
        -------
        ndarray, shape (sets, draws, ...)
            NaN where a set has no forecast.
        """
        out = np.full((len(self._parts), *mu.shape[1:]), np.nan)
        for k, part in enumerate(self._parts):
            if part is not None and self._of is not None:
                general, target = self._of
                out[k] = part[0].expected(mu[general], mu[target])
        return possible(out)

    def realised(self, loss: Array, fraction: Array) -> Array:
        """Losses of the sets that a run would log, at steps that follow those of the call before.

        Parameters
        ----------
        loss : ndarray, shape (domains, draws, n)
            Realised losses on the domains of the law, nats.
        fraction : ndarray, shape (n,)
            Steps as a share of the run.

        Returns
        -------
        ndarray, shape (sets, draws, n)
            NaN where a set has no forecast.
        """
        out = self.expected(loss)
        for k, part in enumerate(self._parts):
            if part is not None:
                out[k] += part[1].at(fraction)
        return possible(out)


def combined_of(draws: Draws, path: Trajectory) -> tuple[int, int] | None:
    """Places of the general domain and of a plan's target among the domains of the law.

    Parameters
    ----------
    draws : Draws
        Posterior with its study.
    path : Trajectory
        Trajectory of the plan.

    Returns
    -------
    (int, int) or None
        None from scratch, and where one of them has no forecast.
    """
    pair = [str(draws.study.general), str(path.target)]
    known = draws.labels.domain
    if not path.is_cpt or not all(d in known and draws.shows(path, d) for d in pair):
        return None
    general, target = map(known.index, pair)
    return general, target


def weights_table(study: Study, size: int = 4000) -> pd.DataFrame:
    """Weights of the out-of-domain sets of a study.

    Parameters
    ----------
    study : Study
        The study.
    size : int
        Number of draws.

    Returns
    -------
    DataFrame
        One row per set, target and ``parameter`` (``intercept`` in nats, ``general`` and
        ``target``, the weights of those losses, and ``deviation``, the standard deviation around
        the combination, nats), with columns ``median``, ``lower`` and ``upper`` (90%) and ``rows``,
        the number of losses used.
    """
    rows = []
    for domain in study.out_of_domain:
        for target in study.targets:
            made = combination(study, domain, target, size)
            if made is None:
                continue
            parts = made.residuals
            whole = np.sqrt(parts.lasting**2 + parts.along**2 + parts.momentary**2)
            names = ("intercept", "general", "target", "deviation")
            for name, values in zip(names, [*made.weights.T, whole], strict=True):
                low, high = np.quantile(values, LEVELS)
                at = {"set": domain, "target": target, "parameter": name}
                found = {"median": np.median(values), "lower": low, "upper": high}
                rows.append({**at, **found, "rows": made.n_rows})
    index = ["set", "target", "parameter"]
    columns = [*index, "median", "lower", "upper", "rows"]
    return pd.DataFrame(rows, columns=columns).set_index(index)


def set_notes(study: Study) -> list[str]:
    """What the losses of the out-of-domain sets of a study are taken for, in words.

    Parameters
    ----------
    study : Study
        The study.

    Returns
    -------
    list of str
        One sentence per set and target.
    """
    out = []
    for domain in study.out_of_domain:
        for target in study.targets:
            rows = set_rows(study, domain, target)
            of = f"the out-of-domain set {domain!r}, where runs train on {target!r},"
            if not rows:
                out.append(
                    f"{of} has no forecast: no run has its loss, the general and the target loss "
                    "at one step"
                )
                continue
            n = sum(one.loss.size for one in rows)
            runs = f"{len(rows)} run{'s' * (len(rows) > 1)}"
            out.append(
                f"{of} is a combination of the losses on {study.general!r} and {target!r}, learnt "
                f"from {n} losses of {runs}; what else moves it is in its bands"
            )
    return out
