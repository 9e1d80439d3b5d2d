"""Held-out runs of real out-of-domain sets: ``python -m tests.forecast.held_out_sets``.

Each run is left out in turn, its general and target losses given, and the set's losses after the
first tenth are forecast from the combination that the other runs teach.
"""

import numpy as np
import pandas as pd

from bayescpt.data import example_studies, load_example
from bayescpt.forecast.combination import Deviations, fit_combination
from bayescpt.forecast.out_of_domain import set_rows

PROBS = (0.5, 0.9)


def held_out(name: str, domain: str, size: int = 300) -> pd.DataFrame:
    """Share inside the bands, width and error of each run of a set that is no test."""
    study = load_example(name)
    split = study.runs.set_index("run").get("split", pd.Series(dtype=object))
    rows = set_rows(study, domain, study.targets[0])
    rows = [one for one in rows if split.get(one.run) != "test"]
    found = []
    for k, one in enumerate(rows):
        rng = np.random.default_rng(k)
        made = fit_combination(rows[:k] + rows[k + 1 :], size, rng)
        general, target = (np.tile(losses, (size, 1)) for losses in one.losses.T)
        loss = made.expected(general, target) + Deviations(made, rng).at(one.fraction)
        entry = {"study": name, "set": domain, "run": one.run}
        for prob in PROBS:
            low, high = np.quantile(loss, [(1 - prob) / 2, (1 + prob) / 2], axis=0)
            entry[f"in {prob:.0%}"] = np.mean((low <= one.loss) & (one.loss <= high))
        entry["width"] = np.mean(high - low)
        entry["error"] = np.mean(np.abs(np.median(loss, axis=0) - one.loss))
        found.append(entry)
    return pd.DataFrame(found)


def real_sets() -> list[tuple[str, str]]:
    """Studies with losses by step that are not all test, and their other sets."""
    out = []
    for name in example_studies():
        study = load_example(name)
        split = study.runs.get("split", pd.Series(dtype=object)).dropna()
        only_test = split.size and (split == "test").all()
        if not study.lrs or not study.targets or only_test:
            continue
        others = [d for d in study.domains if d not in (study.general, *study.targets)]
        out += [(name, domain) for domain in others]
    return out


def main() -> None:
    """Print the table by set."""
    every = pd.concat([held_out(*place) for place in real_sets()])
    table = every.groupby(["study", "set"], sort=False).mean(numeric_only=True)
    table.insert(0, "runs", every.groupby(["study", "set"], sort=False).size())
    print(table.round({"in 50%": 2, "in 90%": 2, "width": 3, "error": 3}).to_string())
    means = table.mean()
    print(
        f"{len(table)} sets: {means['in 50%']:.1%} in 50%, {means['in 90%']:.1%} in 90% "
        f"({table['in 90%'].min():.0%} to {table['in 90%'].max():.0%} by set), "
        f"mean error {means['error']:.3f} nats, width {means['width']:.3f}"
    )


if __name__ == "__main__":
    main()
