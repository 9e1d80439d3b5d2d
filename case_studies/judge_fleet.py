"""Judge the default card on the studies of the fleet that nobody chose anything by.

Two whole targets (Spanish, Russian) and one whole size (4m) of the fleet are `test`: no prior, law
or noise was chosen with them. A few random pilots of each study are fitted, and all its other runs
forecast, rows after the first tenth:

    uv run python -m case_studies.judge_fleet 4 6 8 --repeats 2    # 20 minutes on one core
    uv run python -m case_studies.judge_fleet 4 --card cpt_replay

prints, by number of pilots and target, the shares of the losses and of the last losses inside 90%
bands, their mean width and the CRPS, on the general set and on the target. Whatever is changed
after a look at this has to be judged on something else.
"""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd

from bayescpt.data import load_example
from bayescpt.errors import StudyError
from bayescpt.evaluate import backtest

TARGETS = ("spanish", "russian")
SIZES = ("100k", "330k", "1200k")
STUDIES = (
    *(f"fleet_{target}_{size}" for target in TARGETS for size in SIZES),
    *(f"fleet_{t}_4m" for t in ("changelog", "code", "german", "math", "russian", "spanish")),
)
AFTER = 0.1


def judged(name: str, pilots: int, repeats: int, card: str | None) -> pd.DataFrame:
    """Scores of every forecast curve of one study.

    Parameters
    ----------
    name : str
        Name of the example.
    pilots, repeats : int
        Number of pilots, and of draws of them.
    card : str or None
        Card; by default chosen for the study.

    Returns
    -------
    DataFrame
        One row per fit, run and set: the study, group (target, or ``4m``), set (general or target),
        scores as in `Backtest.scores`, and failed (checks of the fit).
    """
    study = load_example(name)
    found = backtest(
        study, card, by="pilots", pilots=pilots, repeats=repeats, draws=1000, progress=False
    )
    failed = {
        int(split.removeprefix("draw "))
        for split, checks in zip(found.fits["split"], found.fits["failed_checks"], strict=True)
        if checks
    }
    rows = found.scores(by=["repeat", "run", "domain"], after=AFTER)
    return rows.assign(
        study=name,
        group="4m" if name.endswith("_4m") else study.targets[0],
        set=np.where(rows["domain"] == study.general, "general", "target"),
        failed=rows["repeat"].isin(failed),
    )


def summary(rows: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Means over forecasts, each of which counts the same.

    Parameters
    ----------
    rows : DataFrame
        From `judged`.
    by : list of str
        Columns to group by.

    Returns
    -------
    DataFrame
        forecasts (of runs), coverage_90, finals_inside, width_90 and crps.
    """
    groups = rows.groupby(by)
    out = groups[["coverage_90", "finals_inside", "width_90", "crps"]].mean()
    out.insert(0, "forecasts", groups.size())
    return out


def main() -> None:
    """Fit, judge and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pilots", type=int, nargs="+")
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--card")
    given = parser.parse_args()
    for pilots in given.pilots:
        parts = []
        for name in STUDIES:
            try:
                parts.append(judged(name, pilots, given.repeats, given.card))
                print(f"{pilots} pilots: {name}", flush=True)
            except StudyError as error:  # too few runs from one start checkpoint
                print(f"{pilots} pilots: {error}", flush=True)
        rows = pd.concat(parts, ignore_index=True)
        fits = rows.groupby(["study", "repeat"])["failed"].first()
        print(f"{pilots} pilots: {fits.sum()} of {fits.size} fits failed their checks")
        for by in (["set"], ["group", "set"]):
            print(summary(rows, by).round(3).to_string(), flush=True)


if __name__ == "__main__":
    main()
