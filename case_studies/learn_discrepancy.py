"""Learn how much a new run deviates from the law, in units of what the pilots of its fit do.

Where the likelihood itself has effects of runs (`marginal_effects`), their size is fitted: that of
the deviations of the pilots, which also take up what is wrong with the shape of the law. A new run
shares that with the pilots. Its effects have the mean that pilots of like recipes tell of it, and
the standard deviation

    run_sd * sqrt(left * near^2 + (far * distance)^2)

where left is the part of the variance that they leave (`case_studies/learn_neighbours.py`). Near
and far are seen only on runs that were left out: four or eight random pilots of each study
are fitted, and the last losses of all its other runs compared with the forecast of the law. Both
ratios are log-normal between studies and sets; one last loss in twenty may be four times as far
off.

    uv run python -m case_studies.learn_discrepancy    # 15 minutes

prints, by number of pilots, the distributions of highest likelihood, and how the bands of each
study come out with those that the other studies teach, with those of the package, and with ratios
of 1 and .7, as they were.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import optimize, stats

from bayescpt.data import Study, load_example
from bayescpt.evaluate import split_by_pilots
from bayescpt.forecast import Plan
from bayescpt.forecast.discrepancy.judge import ENOUGH_PILOTS, FAR_MEDIAN, FAR_SD, NEAR_SD
from bayescpt.forecast.discrepancy.neighbours import neighbours
from bayescpt.forecast.discrepancy.spread import effect_columns
from bayescpt.forecast.plan import plan_trajectory
from bayescpt.inference import Fit, fit
from bayescpt.laws.view import View

Array = NDArray[np.float64]

VARIANTS = (
    "batch", "no_decay", "overtrained", "muon", "from_code", "mixture", "fresh", "lengths"
)  # fmt: skip
STUDIES = ("cpt_micro", *(f"variant_{name}" for name in VARIANTS))
# Number of pilots, and of the draw of them.
FITS = ((4, 1), (4, 2), (8, 1))
DRAWS = 500
OUTLIERS, OUTLYING = 0.05, 4.0
# Equally likely values of a standard normal variable.
UNIT = stats.norm.ppf((np.arange(9) + 0.5) / 9)
PAIRS = np.array(np.meshgrid(UNIT, UNIT)).reshape(2, -1)


class Ratios(NamedTuple):
    """Mean and sd of the logarithms of the near and the far ratio."""

    near: tuple[float, float]
    far: tuple[float, float]

    def __str__(self) -> str:
        """Medians and sds."""
        parts = zip(("near", "far"), self, strict=True)
        return ", ".join(f"{name} {np.exp(mean):.2f} sd {sd:.2f}" for name, (mean, sd) in parts)


BEFORE = Ratios((0.0, 0.0), (float(np.log(0.7)), 0.5))


def last_errors(study: Study, pilots: int, repeat: int) -> pd.DataFrame:
    """Last losses of runs that were left out, against the law fitted to a few pilots.

    Parameters
    ----------
    study : Study
        Study with more runs than pilots from one start checkpoint.
    pilots : int
        Number of pilots.
    repeat : int
        Number of the draw of pilots, from 1.

    Returns
    -------
    DataFrame
        One row a run and set: error, variance (of the law with the mean effects, and of an
        evaluation), unit (variance of an effect at ratio 1 on the last loss), both nats squared,
        left (part of the variance that pilots of like recipes leave), and distance from the pilots.
    """
    splits = [
        split
        for split in split_by_pilots(study, pilots, repeat)
        if split.labels["repeat"] == repeat
    ]
    fitted = fit(splits[0].train, draws=DRAWS, progress=False)
    rows = [
        row | {"study": study.name, "pilots": pilots, "repeat": repeat, "run": split.run}
        for split in splits
        for row in _errors(fitted, study, split.run)
    ]
    return pd.DataFrame(rows)


def _errors(fitted: Fit, study: Study, run: str) -> Iterator[dict[str, object]]:
    plan = Plan.from_run(study.run(run))
    curves = study.curves[study.curves["run"] == run]
    draws = fitted.draws(allow_failed=True)
    path = plan_trajectory(plan, draws.study, draws.rows.refs.warmup)
    last = curves[curves["domain"].isin(draws.labels.domain)]
    last = last.sort_values("step").groupby("domain").tail(1)
    law = fitted.forecast(
        [plan], np.unique(last["step"]), allow_failed=True, extrapolate=True
    ).mu.sel(plan=plan.name)
    for domain, step, loss in last[["domain", "step", "loss"]].itertuples(index=False):
        view = View(path, np.array([step]), draws.rows.refs)
        names, columns = draws.card.run_effects, effect_columns(draws, view)[:, 0]
        known = neighbours(draws, path, str(domain))
        means = 0.0 if known is None else columns @ known.means(draws)
        expected = law.sel(domain=domain, step=step).transpose("chain", "draw")
        found = expected.to_numpy().ravel() + means
        ratios = np.array([draws.card.law.effects[name][1].ratio for name in names])
        size, noise = (
            fitted.posterior[name].sel(domain=domain) ** 2 for name in ("run_sd", "sigma")
        )
        yield {
            "domain": domain,
            "error": loss - float(np.median(found)),
            "variance": float(found.var()) + float(noise.mean()),
            "unit": float(ratios**2 @ columns**2 * size.mean()),
            "left": 1.0 if known is None else known.left,
            "distance": draws.extrapolation(path),
        }


def spreads(table: pd.DataFrame, ratios: Ratios) -> Array:
    """Standard deviations of last losses at equally likely ratios, shape (rows, 81), nats.

    Parameters
    ----------
    table : DataFrame
        From `last_errors`.
    ratios : Ratios
        Distributions of the ratios.

    Returns
    -------
    ndarray
    """
    near, far = (np.exp(mean + sd * z) for (mean, sd), z in zip(ratios, PAIRS, strict=True))
    distance = table["distance"].to_numpy()[:, None]
    unit, rest, left = (table[name].to_numpy()[:, None] for name in ("unit", "variance", "left"))
    return np.sqrt(rest + unit * (left * near**2 + (far * distance) ** 2))


def log_likelihood(table: pd.DataFrame, ratios: Ratios) -> float:
    """Of the errors, each study, draw and set with ratios of its own.

    Parameters
    ----------
    table : DataFrame
        From `last_errors`.
    ratios : Ratios
        Distributions of the ratios.

    Returns
    -------
    float
    """
    spread = spreads(table, ratios)
    error = table["error"].to_numpy()[:, None]
    parts = [
        np.log(share) + stats.norm.logpdf(error, scale=times * spread)
        for share, times in ((1.0 - OUTLIERS, 1.0), (OUTLIERS, OUTLYING))
    ]
    by_row = pd.DataFrame(np.logaddexp(*parts))
    keys = [table[name].to_numpy() for name in ("study", "pilots", "repeat", "domain")]
    together = by_row.groupby(keys).sum().to_numpy()
    top = together.max(axis=1, keepdims=True)
    return float((np.log(np.exp(together - top).mean(axis=1)) + top[:, 0]).sum())


def learn(table: pd.DataFrame) -> Ratios:
    """Ratios of the highest likelihood.

    Parameters
    ----------
    table : DataFrame
        From `last_errors`.

    Returns
    -------
    Ratios
    """

    def _ratios(at: Array) -> Ratios:
        near, near_sd, far, far_sd = map(float, at)
        return Ratios((near, float(np.exp(near_sd))), (far, float(np.exp(far_sd))))

    def _cost(at: Array) -> float:
        return -log_likelihood(table, _ratios(at))

    # An sd beyond 1 would be that of a ratio of 0.
    bounds = [(-3.0, 1.0), (-3.0, 0.0), (-3.0, 1.0), (-3.0, 0.0)]
    start = np.array([-0.7, -1.0, -0.7, -0.7])
    found = optimize.minimize(_cost, start, method="Nelder-Mead", bounds=bounds)
    return _ratios(found.x)


def bands(table: pd.DataFrame, ratios: Ratios) -> dict[str, float]:
    """How the bands of last losses come out.

    Parameters
    ----------
    table : DataFrame
        From `last_errors`.
    ratios : Ratios
        Distributions of the ratios.

    Returns
    -------
    dict of str to float
        ``in 50%``, ``in 90%``: shares; ``score``: mean log score.
    """
    spread, error = spreads(table, ratios), table["error"].to_numpy()[:, None]
    place = np.mean(stats.norm.cdf(error, scale=spread), axis=1)
    inside = {f"in {p:.0%}": float((abs(place - 0.5) <= p / 2).mean()) for p in (0.5, 0.9)}
    density = np.mean(stats.norm.pdf(error, scale=spread), axis=1)
    return inside | {"score": float(np.log(density).mean())}


def in_package(pilots: int) -> Ratios:
    """Ratios as forecasts draw them.

    Parameters
    ----------
    pilots : int
        Number of pilots.

    Returns
    -------
    Ratios
    """
    near = float(np.log(min(1.0, pilots / ENOUGH_PILOTS)))
    return Ratios((near, NEAR_SD), (float(np.log(FAR_MEDIAN)), FAR_SD))


def by_study(table: pd.DataFrame, pilots: int) -> Iterator[dict[str, object]]:
    """How the bands of each study come out.

    Parameters
    ----------
    table : DataFrame
        From `last_errors`, of several studies and one number of pilots.
    pilots : int
        That number.

    Yields
    ------
    dict
        A row of the table that is printed; ``others`` has the ratios that the other studies teach.
    """
    for name, own in [*table.groupby("study"), ("all", table)]:
        row: dict[str, object] = {"study": name}
        for label, ratios in (
            ("others", learn(table[table["study"] != name] if name != "all" else table)),
            ("package", in_package(pilots)),
            ("before", BEFORE),
        ):
            row |= {f"{key}, {label}": value for key, value in bands(own, ratios).items()}
        yield row


def main() -> None:
    """Fit, learn and print."""
    tables = []
    for name in STUDIES:
        study = load_example(name)
        tables += [last_errors(study, pilots, repeat) for pilots, repeat in FITS]
        print(f"{name}: {sum(map(len, tables[-len(FITS) :]))} last losses", flush=True)
    table = pd.concat(tables, ignore_index=True)
    for pilots in dict.fromkeys(number for number, _ in FITS):
        own = table[table["pilots"] == pilots]
        print(f"{pilots} pilots, all studies: {learn(own)}; in the package: {in_package(pilots)}")
        rows = pd.DataFrame(by_study(own, pilots)).set_index("study")
        print(rows.to_string(float_format="{:.2f}".format))


if __name__ == "__main__":
    main()
