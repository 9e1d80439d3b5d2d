"""Learn how alike two runs of like recipes are off the law.

Where the likelihood has effects of runs (`marginal_effects`), a new run is off the law as fitted
runs of like recipes are: effects are correlated between recipes at a distance d as

    shared * exp(-(d / fades_over)^2 / 2)

and the rest of their variance is that of the seed. Both numbers are chosen here: four, eight or
twelve random pilots of each study are fitted and all its other runs forecast, and each run of the
small real study from all others.

    uv run python -m case_studies.learn_neighbours    # 25 minutes

prints, by number of pilots and set, the CRPS, the share inside 90% bands and their width, means
over six losses of each run after its first tenth, for effects that are independent (shared 0) and
for several correlations.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bayescpt.data import Study, load_example
from bayescpt.evaluate import split_by_pilots
from bayescpt.evaluate.score import crps
from bayescpt.forecast import Plan
from bayescpt.forecast.discrepancy.judge import fitted_ratios
from bayescpt.forecast.discrepancy.neighbours import conditional, correlation, precision_of
from bayescpt.forecast.discrepancy.spread import effect_columns, effect_unit
from bayescpt.forecast.extrapolation import Recipes, distances, recipe
from bayescpt.forecast.plan import plan_trajectory
from bayescpt.inference import Fit, fit
from bayescpt.laws.view import View
from case_studies.learn_discrepancy import STUDIES

Array = NDArray[np.float64]

CARD = "cpt_fade"
NUMBERS = (4, 8, 12)
SMALL = "cpt_micro"
SETTINGS = ((0.0, 1.0), *product((0.8, 0.95), (0.7, 1.5, 3.0)))
AFTER, LOSSES, DRAWS, KEPT = 0.1, 6, 500, 4


@dataclass(frozen=True)
class LeftOut:
    """A curve of a run that was left out, and all that its forecast is made of.

    Attributes
    ----------
    observed : ndarray, shape (n,)
        Losses, nats.
    law : ndarray, shape (draws, n)
        The law's loss.
    columns : ndarray, shape (effects, n)
        Contribution of an effect of 1 nat.
    units : ndarray, shape (effects, draws)
        Sizes of the effects, nats.
    fitted : ndarray, shape (effects, pilots, draws)
        Effects of the pilots, nats.
    to_pilots, between : ndarray, shapes (pilots,) and (pilots, pilots)
        Distances of recipes.
    sigma : ndarray, shape (draws,)
        Noise, nats.
    """

    observed: Array
    law: Array
    columns: Array
    units: Array
    fitted: Array
    to_pilots: Array
    between: Array
    sigma: Array

    def losses(self, shared: float, fades_over: float) -> Array:
        """Forecast losses under a correlation, shape (draws, n)."""
        rng = np.random.default_rng(0)
        draws, pilots = self.law.shape[0], self.to_pilots.size
        near = correlation(self.to_pilots, shared, fades_over)
        between = correlation(self.between, shared, fades_over)
        np.fill_diagonal(between, 1.0)
        weights, left = conditional(near, precision_of(between, shared), shared)
        ratios = fitted_ratios((draws,), np.array(pilots), rng)
        variance = left * ratios[0] ** 2 + (ratios[1] * self.to_pilots.min()) ** 2
        effects = np.einsum("p,eps->es", weights, self.fitted)
        effects += self.units * np.sqrt(variance) * rng.standard_normal(self.units.shape)
        noise = self.sigma[:, None] * rng.standard_normal(self.law.shape)
        return np.asarray(self.law + effects.T @ self.columns + noise)


def left_out(fitted: Fit, study: Study, run: str) -> Iterator[tuple[str, LeftOut]]:
    """Curves of a run that was left out of a fit.

    Parameters
    ----------
    fitted : Fit
        The fit.
    study : Study
        Study with the run.
    run : str
        Name of the run.

    Yields
    ------
    set : {"general", "target"}
    LeftOut
    """
    draws, plan = fitted.draws(allow_failed=True), Plan.from_run(study.run(run))
    path = plan_trajectory(plan, draws.study, draws.rows.refs.warmup)
    mine, thin, names = recipe(path), slice(None, None, KEPT), draws.card.run_effects
    for d, domain in enumerate(draws.labels.domain):
        curve = study.curves[(study.curves["run"] == run) & (study.curves["domain"] == domain)]
        curve = curve[curve["step"] >= AFTER * path.n_steps].sort_values("step")
        at = np.unique(np.linspace(0, len(curve) - 1, LOSSES).round().astype(int))
        steps = curve["step"].to_numpy()[at]
        law = fitted.forecast([plan], steps, allow_failed=True, extrapolate=True).mu
        law = law.sel(plan=plan.name, domain=domain).stack(of=("chain", "draw"))
        pilots = {
            c: draws.recipes[name]
            for c, (name, evaluated) in enumerate(draws.labels.curve)
            if evaluated == domain and draws.recipes[name].kind == mine.kind
        }
        recipes = Recipes.of([*pilots.values()])
        yield (
            "general" if domain == study.general else "target",
            LeftOut(
                curve["loss"].to_numpy()[at],
                law.transpose("of", "step").to_numpy()[thin],
                effect_columns(draws, View(path, steps, draws.rows.refs)),
                np.stack([effect_unit(draws, name, path, domain)[thin] for name in names]),
                np.stack([
                    [draws.value(f"effect_{name}", c)[thin] for c in pilots] for name in names
                ]),
                distances(mine, recipes),
                np.stack([distances(one, recipes) for one in pilots.values()]),
                draws.value("sigma", d)[thin],
            ),
        )  # fmt: skip


def fits() -> Iterator[tuple[str, int, Study, list[str], Study]]:
    """Study, number of pilots, what is fitted and which runs are judged."""
    small = load_example(SMALL)
    for run in small.cpt_runs:
        yield SMALL, len(small.cpt_runs) - 1, small.drop([run]), [run], small
    for pilots, name in product(NUMBERS, STUDIES):
        study = load_example(name)
        if name == SMALL and pilots == max(NUMBERS):
            continue
        splits = [s for s in split_by_pilots(study, pilots, 1) if s.labels["repeat"] == 1]
        yield name, pilots, splits[0].train, [split.run for split in splits], study


def scores(curve: LeftOut) -> Iterator[dict[str, float]]:
    """Scores of the forecast of a curve under every correlation."""
    for shared, fades_over in SETTINGS:
        drawn = curve.losses(shared, fades_over)
        low, high = np.quantile(drawn, [0.05, 0.95], axis=0)
        inside = (curve.observed >= low) & (curve.observed <= high)
        yield {
            "shared": shared,
            "fades over": fades_over,
            "CRPS": float(crps(drawn, curve.observed).mean()),
            "in 90%": float(inside.mean()),
            "width": float((high - low).mean()),
        }


def main() -> None:
    """Fit, forecast and print."""
    rows: list[dict[str, object]] = []
    for name, pilots, train, runs, study in fits():
        fitted = fit(train, CARD, draws=DRAWS, progress=False)
        for run in runs:
            for group, curve in left_out(fitted, study, run):
                known = {"study": name, "pilots": pilots, "set": group}
                rows += [known | found for found in scores(curve)]
        print(f"{name}: {pilots} pilots, {len(runs)} runs", flush=True)
    table = pd.DataFrame(rows)
    table["left out of"] = np.where(table["study"] == SMALL, "the small study", "variants")
    by = ["left out of", "pilots", "set", "shared", "fades over"]
    columns = ["CRPS", "in 90%", "width"]
    print(table.groupby(by)[columns].mean().to_string(float_format="{:.4f}".format))


if __name__ == "__main__":
    main()
