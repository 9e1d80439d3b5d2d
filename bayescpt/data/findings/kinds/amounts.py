"""Model sizes and tokens in another unit: millions, billions, or not the same in all runs."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from bayescpt.data.final_losses import is_final
from bayescpt.data.findings.registry import Finding, register_finding
from bayescpt.data.findings.view import StudyView, named

# Fewer are likely thousands, millions or billions. The smallest shipped model has 98,304
# parameters, the smallest batch 2,048 tokens.
FEWEST = {"n_params": 1000.0, "tokens_per_step": 32.0, "tokens": 10_000.0}
# Times by which neighbours among the amounts of a study may differ: ladders of sizes go up by 2 to
# 30, and from pilots of 70M to a plan of 7B it is 100.
APART = 300.0


@register_finding("amounts")
def amounts(view: StudyView) -> Iterator[Finding]:
    """Amounts that look like another unit, by themselves or beside the others.

    Parameters
    ----------
    view : StudyView
        The study.

    Yields
    ------
    Finding
    """
    runs = view.study.runs
    for column, fewest in FEWEST.items():
        if column not in runs or (column == "tokens" and not is_final(view.study)):
            continue
        # A base may have been trained on a thousand times the tokens of its pilots.
        used = runs[runs["phase"] == "cpt"] if column == "tokens" else runs
        known = used[used[column].notna()]
        if known.empty:
            continue
        values = known[column].to_numpy(np.float64)
        if few := [str(run) for run in known.loc[values < fewest, "run"]]:
            yield Finding(
                "amounts",
                tuple(few),
                f"{named(few)}: {column} is {values.min():,.6g}: is it in thousands, millions or "
                "billions? Give the number itself",
            )
        elif column in view.study.allow_mixed and not is_final(view.study):
            continue  # `mixed` says it
        elif found := _apart(known, column, values):
            yield found


def _apart(known: pd.DataFrame, column: str, values: np.ndarray) -> Finding | None:
    """Runs on the smaller side of a gap that no study has."""
    ordered = np.unique(values)
    steps = ordered[1:] / ordered[:-1]
    if not steps.size or steps.max() < APART:
        return None
    gap = int(steps.argmax())
    low, high = (
        [str(run) for run in known.loc[side, "run"]]
        for side in (values <= ordered[gap], values > ordered[gap])
    )
    odd = high if len(high) <= len(low) else low
    return Finding(
        "amounts",
        tuple(odd),
        f"{column} is {ordered[gap]:,.12g} in {named(low)} and {ordered[gap + 1]:,.12g} in "
        f"{named(high)}, {steps[gap]:,.0f} times as many, and nothing between: are they in one "
        "unit?",
    )
