"""Plans as text: an entry that can be pasted into a file of plans."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayescpt.data.schedules.recognise import recognise
from bayescpt.laws.trajectory import Trajectory

# For a shape that no constructor gives: pieces within this share of the peak.
COARSE = 0.02
# A replay ratio that changes more often is written step by step.
MOST_PIECES = 100


def plan_text(path: Trajectory, comment: str = "") -> str:
    """Entry of a plans file, as `bayescpt.forecast.plan_file.read_plans` takes it.

    Parameters
    ----------
    path : Trajectory
        The recipe; its name is that of the plan.
    comment : str
        Said in the first line.

    Returns
    -------
    str
        TOML, without a newline at the end. The schedule is a constructor of `bayescpt.schedules`
        wherever one gives the learning rates.

    Examples
    --------
    >>> from bayescpt.data import load_example
    >>> from bayescpt.laws.trajectory import run_trajectory
    >>> print(plan_text(run_trajectory(load_example("cpt_micro"), "de_r25_cos")))
    [[plan]]
    name = "de_r25_cos"
    schedule = "cosine"
    lr = 0.002
    num_training_steps = 1000
    num_warmup_steps = 29
    warmup_init_lr = 6.67e-05
    min_lr = 0.0002
    replay_ratio = 0.25
    start = "pt_r0"
    domain = "german"
    """
    lr = path.lr if path.lr_unit == 1.0 else path.lr * path.lr_unit
    found = recognise(lr) or recognise(lr, COARSE)
    schedule: dict[str, Any] = {"lr": lr.tolist()}
    if found is not None:
        schedule = {"schedule": found[0], **found[1]}
    entries = {"name": path.name, **schedule}
    if path.is_cpt:
        entries |= {
            "replay_ratio": _replay(path.replay),
            "start": path.start,
            "domain": path.target,
        }
    lines = [f"{key} = {_value(value)}" for key, value in entries.items() if value is not None]
    return "\n".join([*([f"# {comment}"] if comment else []), "[[plan]]", *lines])


def _replay(ratios: NDArray[np.float64]) -> Any:
    """Replay ratio as a plans file has it: a number, pieces, or one value a step."""
    changes = [0, *(np.flatnonzero(np.diff(ratios)) + 1).tolist()]
    if len(changes) == 1:
        return float(ratios[0])
    if len(changes) > MOST_PIECES:
        return ratios.tolist()
    return [[at, float(ratios[at])] for at in changes]


def _value(value: Any) -> str:
    """TOML of text, numbers and lists of them, which is that of JSON."""
    return json.dumps(value, ensure_ascii=False)
