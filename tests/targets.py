"""A small design of several targets from one base, to simulate from."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from bayescpt.data import Study, schedules
from bayescpt.evaluate.generate import draw_curves, with_losses
from bayescpt.model.rows import make_rows

GENERAL = 3.3
# What the base's loss on each target is above that on the general set, nats.
EXCESS = {"near": 0.4, "mid": 1.0, "next": 1.5, "far": 2.1}
STEPS, EVERY = 300, 20
RECIPES = ((0.0, 1e-3), (0.25, 1e-3), (0.1, 5e-4))


def several_targets(targets: Sequence[str], planned: Sequence[str] = ()) -> Study:
    """Study of runs on several targets.

    Parameters
    ----------
    targets : sequence of str
        Names in `EXCESS`.
    planned : sequence of str
        Those of them whose runs have no losses.

    Returns
    -------
    Study
        One base and three runs a target, with losses that stand for others.
    """
    runs = [{"run": "base", "phase": "pt"}]
    lrs = {"base": schedules.wsd(1e-3, 600, 20, 100)}
    losses = [("base", 600, "general", GENERAL)]
    losses += [("base", 600, target, GENERAL + EXCESS[target]) for target in targets]
    for target in targets:
        for ratio, peak in RECIPES:
            name = f"{target}_r{ratio * 100:.0f}"
            runs.append({"run": name, "phase": "cpt", "parent": "base", "domain": target,
                         "replay_ratio": ratio})  # fmt: skip
            lrs[name] = schedules.wsd(peak, STEPS, 20, 60)
            if target in planned:
                continue
            steps = np.arange(0, STEPS + 1, EVERY)
            # Apart from each other: equal curves would be taken for copies.
            moved = steps / STEPS * (0.5 + 0.01 * len(runs))
            start = GENERAL + EXCESS[target]
            losses += [(name, n, "general", GENERAL + d) for n, d in zip(steps, moved, strict=True)]
            losses += [(name, n, target, start - d) for n, d in zip(steps, moved, strict=True)]
    curves = pd.DataFrame(losses, columns=["run", "step", "domain", "loss"])
    return Study.from_frames(curves, pd.DataFrame(runs), lrs, name="targets", general="general")


def simulated(design: Study, card, values, seed: int) -> Study:
    """The design with losses drawn at known parameters, from a posterior of one draw."""
    table = draw_curves(card, design, make_rows(design, card), values, seed)
    return with_losses(design, table)
