"""Warnings where a plan leaves the range of what was fitted."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bayescpt.forecast.plan import Plan
from bayescpt.forecast.posterior import Draws
from bayescpt.laws.features import Path, run_path


def range_warnings(draws: Draws, plans: Sequence[Plan], paths: Sequence[Path]) -> list[str]:
    """Say where a plan's LR, replay ratio or length was never seen.

    Parameters
    ----------
    draws : Draws
        Posterior with the fitted study.
    plans : sequence of Plan
        Recipes.
    paths : sequence of Path
        Their paths.

    Returns
    -------
    list of str
        One sentence a finding; empty if all plans stay inside.
    """
    fitted = [run_path(draws.study, name) for name in draws.labels.run]
    found = []
    for plan, path in zip(plans, paths, strict=True):
        alike = [other for other in fitted if other.phase == path.phase]
        if not alike:
            found.append(f"plan {plan.name!r}: no fitted run is of its phase ({path.phase})")
            continue
        found += [
            f"plan {plan.name!r}: {text}; the forecast extrapolates"
            for text in _outside(path, alike)
        ]
    return found


def _outside(path: Path, alike: Sequence[Path]) -> list[str]:
    out = []
    top, seen_top = path.lr.max(), max(other.lr.max() for other in alike)
    low_peak = min(other.lr.max() for other in alike)
    if top > seen_top * 1.001:
        out.append(f"peak LR {top:.3g} is above the fitted {seen_top:.3g}")
    elif top < low_peak * 0.999:
        out.append(f"peak LR {top:.3g} is below the fitted {low_peak:.3g}")
    zero_tail = int(np.argmax(path.lr[::-1] > 0)) if (path.lr > 0).any() else path.n_steps
    if zero_tail > max(1, path.n_steps // 100):
        out.append(
            f"the last {zero_tail} steps have LR 0, where training stands still but the annealing "
            "term may not"
        )
    longest = max(other.n_steps for other in alike)
    if path.n_steps > longest:
        out.append(f"{path.n_steps} steps are more than the fitted {longest}")
    if path.phase == "cpt":
        ratios = [other.replay for other in alike]
        low, high = min(r.min() for r in ratios), max(r.max() for r in ratios)
        if path.replay.min() < low - 1e-9:
            out.append(f"replay ratio {path.replay.min():g} is below the fitted {low:g}")
        if path.replay.max() > high + 1e-9:
            out.append(f"replay ratio {path.replay.max():g} is above the fitted {high:g}")
    return out
