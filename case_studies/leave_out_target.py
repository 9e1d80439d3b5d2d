"""Hold out all runs on one target of the fleet, and judge the bands of their forecasts.

The four targets of the fleet that are no test start from the same bases, so that those of one model
size are one study. Pilots on three targets are fitted, and the runs on the fourth forecast from the
loss of its base alone. No run of the split ``test`` is looked at.

    uv run python -m case_studies.leave_out_target 100k

prints, for the losses after the first tenth of each run and for last losses, the share inside 90%
bands, their width and the CRPS, for three ways to draw the parameters of the fourth target:
``regressed``, as the card does, from the population, its shifts around what the covariate says;
``pooled``, its shifts from the population without the covariate; and ``apart``, from the priors of
the card. All priors were learned without the target, from the
estimates of one round of `case_studies.learn_priors` over all studies.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import norm

from bayescpt.data import Study, load_example
from bayescpt.evaluate.target_splits import split_by_target
from bayescpt.forecast import Draws
from bayescpt.forecast.forecast import forecast
from bayescpt.inference import fit as sample
from bayescpt.model.card import Card
from bayescpt.model.card_file import load_card
from bayescpt.model.population import pair_arrays, population
from bayescpt.model.priors import parse_prior
from case_studies.learn_priors import BEYOND, HELD, SIZES, SPLITS, TARGETS, Population, learn
from case_studies.learn_sizes import steps_table
from case_studies.learn_targets import STEPS, fleet, targets_priors
from case_studies.leave_out_size import scores, summary

# Learned from more than the fleet's targets, or from sizes of errors.
KEPT = (*HELD, "log_half", "run_sd")


def joint_study(size: str, kinds: Sequence[str] = ("core",)) -> Study:
    """Study of all targets on models of one size.

    Parameters
    ----------
    size : str
        Size as the fleet names it.
    kinds : sequence of str
        Kinds of runs.

    Returns
    -------
    Study
        Runs named ``TARGET/NAME`` from the bases that all share; each was evaluated on the general
        set and its own target.
    """
    runs, curves, lrs = [], [], []
    for target in TARGETS:
        whole = load_example(f"fleet_{target}_{size}")
        own = whole.runs[whole.runs["split"].isin(SPLITS)]
        own = own[(own["phase"] == "pt") | own["kind"].isin(kinds)]
        study = whole.select([*own["run"]])

        def _named(run: Any, of: Study = study, prefix: str = target) -> Any:
            return f"{prefix}/{run}" if run in of.cpt_runs else run

        table = study.runs.drop(columns=["schedule", "schedule_params"])
        runs.append(table.assign(run=table["run"].map(_named)))
        cpt = study.curves["run"].isin(study.cpt_runs)
        kept = study.curves["domain"].isin([study.general, target])
        kept |= ~cpt & study.curves["domain"].isin(TARGETS)
        curves.append(study.curves[kept].assign(run=study.curves["run"][kept].map(_named)))
        lrs.append(steps_table(study, _named))
    rates = pd.concat(lrs).drop_duplicates(["run", "step"])
    return Study.from_frames(
        pd.concat(curves).drop_duplicates(["run", "step", "domain"]),
        pd.concat(runs, ignore_index=True).drop_duplicates("run"),
        rates, name=f"fleet_{size}", general="general",
    )  # fmt: skip


def without(found: Population, target: str) -> Population:
    """Population of the studies of the other targets.

    Parameters
    ----------
    found : Population
        Of all studies, by target, then size.
    target : str
        The target to leave out.

    Returns
    -------
    Population
        The uncertainty of the estimates stays in its spread.
    """
    kept = np.repeat([name != target for name in TARGETS], len(SIZES))
    uncertain = np.maximum(found.sd**2 - found.by_study.var(axis=0), 0.0)
    own = found.by_study[kept]
    return replace(
        found, mean=own.mean(axis=0), sd=np.sqrt(own.var(axis=0) + uncertain), by_study=own
    )


def card_without(found: Population, target: str, way: str) -> Card:
    """Card whose priors were learned without a target.

    Parameters
    ----------
    found : Population
        Of all studies.
    target : str
        The target to leave out.
    way : {"regressed", "pooled"}
        Term of the card.

    Returns
    -------
    Card
    """
    shipped, rest = load_card("cpt_targets"), without(found, target)
    priors = dict(shipped.priors)
    units = {entry.parameter.name: entry.parameter.unit for entry in rest.entries}
    for name, unit in units.items():
        if name in KEPT or unit == "nat":
            continue
        center, spread = rest.shared(name)
        args = {**priors[name].args, "mu": center, "sigma": BEYOND * spread}
        priors[name] = replace(priors[name], args=args)
    sigma = {name: prior.args.get("sigma", np.nan) for name, prior in priors.items()}
    learned = targets_priors(rest, fleet([target]), sigma, covariate=way == "regressed")
    priors |= {name: parse_prior(entry, name) for name, entry in learned.items()}
    choices = {**shipped.choices, "targets": way}
    known = {name: priors[name] for name in priors if way == "regressed" or "_slope" not in name}
    return replace(shipped, choices=choices, priors=known)


@dataclass(frozen=True, eq=False)
class Redrawn:
    """A fit in which parameters of a target without runs are drawn anew, from something else.

    Attributes
    ----------
    draws : Draws
        The fit.
    target : str
        The target.
    card : Card or None
        Card whose population the shift is drawn from, given those of the targets with runs; None to
        draw all pooled parameters from the card's priors.
    """

    draws: Draws
    target: str
    card: Card | None = None

    def forecast(self, plans: Any, steps: Any, **_: Any) -> Any:
        """Forecast plans as `Fit.forecast`."""
        posterior, rng = self.draws.posterior.copy(deep=True), np.random.default_rng(1)
        card = self.draws.card
        own = [f"general|{self.target}", f"{self.target}|{self.target}"]
        for name in card.law.pooled if self.card is None else ():
            at = {"pair": own} if "pair" in card.law.dims[name] else {"domain": [self.target]}
            posterior[name].loc[at] = card.priors[name].draw(rng, posterior[name].loc[at].shape)
        if self.card is not None:
            drawn = self._shifts(own, rng)
            shape = posterior["shift_ref"].loc[{"pair": own}].shape
            posterior["shift_ref"].loc[{"pair": own}] = drawn.reshape(shape)
        return forecast(replace(self.draws, posterior=posterior), plans, steps)

    def _shifts(self, own: list[str], rng: np.random.Generator, tries: int = 200_000) -> Any:
        """Shifts of the target under the card's population, shape (draws, 2).

        Shifts of targets with runs are known to some hundredths, so that the population given
        their means is sampled by weighting draws of its prior.
        """
        rows, card = self.draws.rows, self.card
        labels, pairs = rows.labels, pair_arrays(rows.labels, rows.covariate)
        values = {}
        for parameter in card.law.pooled["shift_ref"].parameters:
            shape = (1, tries, *(len(labels.coords()[dim]) for dim in parameter.dims))
            values[parameter.name] = card.priors[parameter.name].draw(rng, shape)
        mean, sd = population("shift_ref", values, card, pairs)
        mean, sd = mean[0], np.broadcast_to(sd[0], mean[0].shape)
        new = [labels.pair_names.index(pair) for pair in own]
        known = [k for k in range(len(labels.pair)) if k not in new]
        seen = self.draws.posterior["shift_ref"].mean(("chain", "draw")).to_numpy()[known]
        weight = norm.logpdf(seen, mean[:, known], sd[:, known]).sum(axis=1)
        weight = np.exp(weight - weight.max())
        kept = rng.choice(tries, self.draws.size, p=weight / weight.sum())
        return rng.normal(mean[kept][:, new], sd[kept][:, new])


def main(arguments: Sequence[str] | None = None) -> None:
    """Fit, forecast and print a table per target and way.

    Parameters
    ----------
    arguments : sequence of str, optional
        Of the command line.
    """
    parser = argparse.ArgumentParser(prog="leave_out_target", description=__doc__.splitlines()[0])
    parser.add_argument("sizes", nargs="+", choices=SIZES)
    parser.add_argument("--target", action="append", choices=TARGETS)
    parser.add_argument("--draws", type=int, default=300)
    parser.add_argument("--tune", type=int, default=300)
    parser.add_argument("--chains", type=int, default=2)
    parser.add_argument("--extend", type=int, default=8)
    given = parser.parse_args(arguments)
    settings = {key: getattr(given, key) for key in ("draws", "tune", "chains", "extend")}
    found = learn(fleet(), load_card("cpt_fade"), steps=STEPS, own_priors=True)
    tables = []
    for size, target in product(given.sizes, given.target or TARGETS):
        study = joint_study(size)
        judged = [name for name in study.cpt_runs if study.run(name).domain == target]
        train = split_by_target(study, judged)[0].train
        begun = time.perf_counter()
        card = card_without(found, target, "regressed")
        fit = sample(train, card, random_seed=1, progress=False, **settings)
        failed = f", failed: {', '.join(fit.failed_checks)}" if fit.failed_checks else ""
        print(f"{size}, {target}: {time.perf_counter() - begun:.0f} s{failed}", flush=True)
        draws = fit.draws(allow_failed=True)
        fits = {
            "regressed": fit,
            "pooled": Redrawn(draws, target, card_without(found, target, "pooled")),
            "apart": Redrawn(draws, target),
        }
        for name, one in fits.items():
            table = scores(one, study, judged).assign(way=name, size=size, target=target)
            print(f"{name}\n{_summary(table).round(3).to_string()}", flush=True)
            tables.append(table)
    whole = pd.concat(tables)
    for way, own in whole.groupby("way", sort=False):
        print(f"all targets, {way}\n{_summary(own).round(3).to_string()}")


def _summary(table: pd.DataFrame) -> pd.DataFrame:
    return summary(table.drop(columns=["way", "size", "target"]))


if __name__ == "__main__":
    main()
