"""Hold out the largest model size of the fleet, and judge the bands of its forecasts.

A target of the fleet is one study of three model sizes. Pilots of the two smaller ones are fitted,
with none or two runs of the largest beside them, and the other runs of the largest are forecast
from their bases. For comparison the two runs are fitted alone. No run of the split ``test`` is
looked at.

    uv run python -m case_studies.leave_out_size code --known none --known two --known alone

prints, for the losses after the first tenth of each run, the share inside 90% bands, the CRPS and
the width of the bands, and the same for last losses. ``--pilots all`` fits every run of the smaller
sizes in place of the six recipes that all sizes share. ``--card`` takes a card whose priors were
learned without the target (case_studies/learn_priors.py and learn_sizes.py, with its name): those
of the shipped cards were learned with it.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from bayescpt.data import Study
from bayescpt.evaluate.score import crps
from bayescpt.evaluate.splits import split_by_fit
from bayescpt.forecast import Plan
from bayescpt.inference import fit as sample
from case_studies.learn_priors import SIZES, SPLITS, TARGETS
from case_studies.learn_sizes import joint_study

LARGEST = SIZES[-1]
# At the peak of their base, on both sides of the replay ratios in use.
GIVEN = (f"{LARGEST}/r0_wsd", f"{LARGEST}/r50_wsd")
KNOWN = ("none", "two", "alone")
# The bump after the re-warm-up is fitted loosely, and not judged.
AFTER = 0.1
LEVEL = 0.9


@dataclass(frozen=True, eq=False)
class Design:
    """What is fitted and what is forecast.

    Attributes
    ----------
    study : Study
        Both, with all bases.
    fitted, judged : tuple of str
        Runs.
    """

    study: Study
    fitted: tuple[str, ...]
    judged: tuple[str, ...]

    @property
    def train(self) -> Study:
        """The study without the losses of runs that are not fitted."""
        return split_by_fit(self.study, self.fitted, self.judged)[0].train


def design(target: str, known: str = "none", pilots: str = "core") -> Design:
    """Choose the runs of one target.

    Parameters
    ----------
    target : str
        Target of the fleet.
    known : {"none", "two", "alone"}
        Runs of the largest size that are fitted: none, two, or these two and no others.
    pilots : {"core", "all"}
        Runs of the smaller sizes: those of the six recipes that all sizes share, or all.

    Returns
    -------
    Design
    """
    whole = joint_study(target)
    runs = whole.runs[whole.runs["split"].isin(SPLITS)]
    large = runs["run"].str.startswith(f"{LARGEST}/")
    continued = runs["phase"] == "cpt"
    small = runs[continued & ~large]
    if pilots == "core":
        small = small[small["kind"] == "core"]
    judged = [name for name in runs.loc[continued & large, "run"] if name not in GIVEN]
    fitted = {
        "none": [*small["run"]], "two": [*small["run"], *GIVEN], "alone": list(GIVEN)
    }[known]  # fmt: skip
    bases = runs.loc[~continued & (large | (known != "alone")), "run"]
    return Design(whole.select([*fitted, *judged, *bases]), tuple(fitted), tuple(judged))


def scores(fit: Any, study: Study, judged: Sequence[str]) -> pd.DataFrame:
    """Hold the forecasts of runs against their losses.

    Parameters
    ----------
    fit : Fit
        Has ``forecast``.
    study : Study
        Has the losses.
    judged : sequence of str
        Runs.

    Returns
    -------
    DataFrame
        One row per run and set: run, set (general or target), inside (share of losses in their 90%
        bands), crps and width (means, nats), and of the last loss end_inside, end_width and
        end_error (median minus truth, nats).
    """
    edges = [(1 - LEVEL) / 2, 0.5, (1 + LEVEL) / 2]
    rows = []
    for name in judged:
        for domain in (study.general, study.run(name).domain):
            curve = study.curve(name, domain)
            curve = curve[curve["step"] > AFTER * study.run(name).steps]
            plan, steps = Plan.from_run(study.run(name)), curve["step"].to_numpy()
            loss = fit.forecast([plan], steps=steps, allow_failed=True).loss
            drawn = loss.sel(plan=name, domain=domain).transpose("chain", "draw", "step")
            drawn, seen = drawn.to_numpy().reshape(-1, steps.size), curve["loss"].to_numpy()
            low, middle, high = np.quantile(drawn, edges, axis=0)
            inside = (low <= seen) & (seen <= high)
            rows.append(
                {
                    "run": name,
                    "set": "general" if domain == study.general else "target",
                    "inside": inside.mean(),
                    "crps": crps(drawn, seen).mean(),
                    "width": (high - low).mean(),
                    "end_inside": inside[-1],
                    "end_width": (high - low)[-1],
                    "end_error": (middle - seen)[-1],
                }
            )
    return pd.DataFrame(rows)


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Mean scores of both sets over runs; of the error of last losses the root mean square.

    Parameters
    ----------
    table : DataFrame
        From `scores`.

    Returns
    -------
    DataFrame
        One row per set.
    """
    squared = table.assign(end_error=table["end_error"] ** 2)
    means = squared.drop(columns="run").groupby("set").mean()
    return means.assign(end_error=np.sqrt(means["end_error"]))


def main(arguments: Sequence[str] | None = None) -> None:
    """Fit, forecast and print a table per target and what is known of the largest size.

    Parameters
    ----------
    arguments : sequence of str, optional
        Of the command line.
    """
    parser = argparse.ArgumentParser(prog="leave_out_size", description=__doc__.splitlines()[0])
    parser.add_argument("targets", nargs="*", help=f"by default all: {', '.join(TARGETS)}")
    parser.add_argument("--known", action="append", choices=KNOWN)
    parser.add_argument("--pilots", choices=("core", "all"), default="core")
    parser.add_argument("--card", help="card for several sizes, by default the shipped one")
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--tune", type=int, default=500)
    parser.add_argument("--chains", type=int, default=4)
    parser.add_argument("--extend", type=int, default=8)
    given = parser.parse_args(arguments)
    if unknown := set(given.targets).difference(TARGETS):
        parser.error(f"no target {min(unknown)!r}: give any of {', '.join(TARGETS)}")
    settings = {key: getattr(given, key) for key in ("draws", "tune", "chains", "extend")}
    for target in given.targets or TARGETS:
        for known in given.known or KNOWN:
            one = design(target, known, given.pilots)
            card = None if known == "alone" else given.card
            begun = time.perf_counter()
            fit = sample(one.train, card, random_seed=1, progress=False, **settings)
            seconds = time.perf_counter() - begun
            failed = f", failed: {', '.join(fit.failed_checks)}" if fit.failed_checks else ""
            print(
                f"{target}, {known} of the largest size known: {len(one.fitted)} runs fitted, "
                f"{len(one.judged)} forecast, card {fit.card.name}, {seconds:.0f} s{failed}"
            )
            print(summary(scores(fit, one.study, one.judged)).round(3).to_string(), flush=True)


if __name__ == "__main__":
    main()
