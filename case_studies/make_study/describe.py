"""Print what the fleet or the variants hold, and how much their runs differ by seed alone.

    uv run python case_studies/make_study/describe.py             # the fleet
    uv run python case_studies/make_study/describe.py variant

Runs whose split is `test` are counted, and their losses at step 0 compared with those of their
bases; nothing else is measured on them.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import pandas as pd
from variant_kinds import VARIANTS

from bayescpt.data import Study, example_studies, load_example

MANIFEST = Path(__file__).with_name("manifest.json")
WARMED = 90  # steps; evaluations are dense up to here


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("collection", nargs="?", choices=["fleet", "variant"], default="fleet")
    kind = parser.parse_args().collection
    names = [name for name in example_studies() if name.startswith(f"{kind}_")]
    studies = [load_example(name) for name in names]
    table = pd.concat([run_table(study) for study in studies], ignore_index=True)
    losses = sum(len(study.curves) for study in studies)
    print(f"{len(studies)} studies, {len(table)} runs after pre-training, {losses:,} losses")
    print(f"largest gap between a run's step 0 and its base's end: {gap(studies):.1g} nats\n")
    crossed = (("target", "size"), ("target", "split"), ("kind", "split"))
    for row, column in crossed if kind == "fleet" else (("study", "split"),):
        print(pd.crosstab(table[row], table[column], margins=True, margins_name="all"), "\n")
    print("target text seen more than once (number of times)")
    print(pd.concat([repeated(study) for study in studies]).round(2).to_string(), "\n")
    spread = pd.concat([seed_spread(study) for study in studies], ignore_index=True)
    print("standard deviation between seeds, nats (split fit or choose)")
    print(spread.to_string(index=False, float_format="{:.4f}".format))
    pooled = spread.groupby("set")[["end", "curve"]].agg(lambda sd: np.sqrt(np.mean(sd**2)))
    print("\nroot mean square over recipes")
    print(pooled.to_string(float_format="{:.4f}".format))


def run_table(study: Study) -> pd.DataFrame:
    """Rows of runs.csv of the runs after pre-training, with study, target and size."""
    (target,) = study.targets
    size = study.name.rpartition("_")[2]
    runs = study.runs[study.runs["phase"] == "cpt"]
    return runs[["run", "kind", "split"]].assign(study=study.name, target=target, size=size)


def gap(studies: list[Study]) -> float:
    """Largest difference of a run's loss at step 0 from its base's last, in nats."""
    largest = 0.0
    for study in studies:
        first = study.curves[study.curves["step"] == 0].set_index(["run", "domain"])["loss"]
        last = study.curves.groupby(["run", "domain"])["loss"].last()
        for run in study.cpt_runs:
            gaps = first[run] - last[str(study.run(run).parent)]
            largest = max(largest, float(gaps.abs().max()))
    return largest


def repeated(study: Study) -> pd.Series:
    """Passes over the target's training tokens of the runs that make more than one, by run."""
    manifest = json.loads(MANIFEST.read_text(encoding="utf-8"))
    tokens = manifest["packed"] | manifest["variants"]
    kind, _, name = study.name.partition("_")
    target = VARIANTS[name].target if kind == "variant" else study.targets[0]
    passes = {}
    for run in map(study.run, study.cpt_runs):
        share = np.mean(1.0 - np.asarray(run.replay_ratio))
        seen = share * run.steps * run.tokens_per_step
        passes[f"{study.name}/{run.name}"] = seen / tokens[target]["tokens"]
    counts = pd.Series(passes, dtype=float)
    return counts[counts > 1.0]


def seed_spread(study: Study) -> pd.DataFrame:
    """Standard deviation between runs that differ by their seed only.

    Parameters
    ----------
    study : Study
        A study of the fleet, or a variant.

    Returns
    -------
    DataFrame
        A row for each repeated recipe and set (general, target): number of runs, and the standard
        deviation in nats at the end and at an evaluation after step 90 (root mean square).
    """
    runs = study.runs[study.runs["split"] != "test"]
    stem = runs["run"].str.replace(r"_s\d+$", "", regex=True)
    rows = []
    for recipe, group in runs.groupby(stem):
        if not (group["kind"] == "repeat").any():
            continue
        for name in (study.general, *study.targets):
            curves = [study.curve(run, name).set_index("step")["loss"] for run in group["run"]]
            sd = pd.concat(curves, axis=1).std(axis=1, ddof=1)
            kind = "general" if name == study.general else "target"
            late = float(np.sqrt(np.mean(sd[sd.index > WARMED] ** 2)))
            row = {"study": study.name, "recipe": recipe, "runs": len(group), "set": kind}
            rows.append(row | {"end": float(sd.iloc[-1]), "curve": late})
    return pd.DataFrame(rows)


if __name__ == "__main__":
    main()
