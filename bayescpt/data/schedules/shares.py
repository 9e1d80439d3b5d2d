"""Names of schedule arguments: lengths as shares of all steps, and what people call them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from bayescpt.data.schedules.arguments import check_count
from bayescpt.errors import ScheduleError

# Length of a part of a schedule as a share of its steps, and the argument that it stands for.
SHARES = {
    f"{part}_share": f"num_{part}_steps" for part in ("warmup", "decay", "stable", "cooldown")
}
# Names that other trainers and logs use.
OTHER_NAMES = {
    "peak_lr": "lr",
    "max_lr": "lr",
    "learning_rate": "lr",
    "steps": "num_training_steps",
    "n_steps": "num_training_steps",
    "num_steps": "num_training_steps",
    "max_steps": "num_training_steps",
    "warmup": "num_warmup_steps",
    "warmup_steps": "num_warmup_steps",
    "warmup_ratio": "warmup_share",
    "decay_steps": "num_decay_steps",
    "decay_frac": "decay_share",
    "decay_ratio": "decay_share",
    "decay": "decay_type",
    "replay": "replay_ratio",
    "parent": "start",
    "checkpoint": "start",
    "target": "domain",
    "final_lr": "min_lr",
    "final_ratio": "min_lr_ratio",
    "final_lr_ratio": "min_lr_ratio",
}


def spell_out(given: dict[str, Any]) -> dict[str, Any]:
    """Arguments with shares of all steps replaced by numbers of steps.

    Parameters
    ----------
    given : dict of str to Any
        Arguments of a schedule, with ``warmup_share``, ``decay_share``, ``stable_share`` or
        ``cooldown_share`` in place of ``num_warmup_steps`` and so on.

    Returns
    -------
    dict of str to Any
        Arguments of its constructor.

    Raises
    ------
    ScheduleError
        If a share is outside 0..1, its number of steps is given too, or the number of all steps is
        missing.

    Examples
    --------
    >>> spell_out({"lr": 1e-3, "num_training_steps": 500, "decay_share": 0.2})
    {'lr': 0.001, 'num_training_steps': 500, 'num_decay_steps': 100}
    """
    out = {name: value for name, value in given.items() if name not in SHARES}
    for share, argument in SHARES.items():
        if share not in given:
            continue
        value = given[share]
        number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
        if not number or not 0 <= value <= 1:
            percent = number and 1 < value <= 100
            hint = f": looks like a percentage; write {value / 100:g}" if percent else ""
            raise ScheduleError(f"{share} is {value!r}; expected 0 to 1{hint}")
        if argument in given:
            raise ScheduleError(
                f"give {share} ({value}) or {argument} ({given[argument]}), not both"
            )
        steps = given.get("num_training_steps")
        if not isinstance(steps, int | np.integer):
            raise ScheduleError(f"{share} is a share of num_training_steps, which is missing")
        check_count("num_training_steps", steps)
        out[argument] = round(value * int(steps))
    return out


def check_names(given: Iterable[str], arguments: Iterable[str], also: Iterable[str] = ()) -> None:
    """Raise an error if a name is no argument of a schedule.

    Parameters
    ----------
    given : iterable of str
        Names that were given.
    arguments : iterable of str
        Arguments of the constructor.
    also : iterable of str
        Other names that may stand beside them, such as the keys of a plan.

    Raises
    ------
    ScheduleError
        If one is unknown; the message suggests the most similar one.

    Examples
    --------
    >>> check_names(["warmup"], ["lr", "num_warmup_steps"])
    Traceback (most recent call last):
    ...
    bayescpt.errors.ScheduleError: unknown argument 'warmup'; did you mean 'num_warmup_steps'? \
arguments: lr, num_warmup_steps, warmup_share
    """
    takes = list(arguments)
    known = [*takes, *(share for share, name in SHARES.items() if name in takes)]
    allowed = [*known, *also]
    for name in given:
        if name in allowed:
            continue
        hint = suggestion(name, allowed)
        raise ScheduleError(f"unknown argument {name!r}; {hint}arguments: {', '.join(known)}")


def suggestion(name: str, known: Sequence[str]) -> str:
    """Start of a message that suggests the argument which a name was meant for.

    Parameters
    ----------
    name : str
        An unknown name.
    known : sequence of str
        Known names.

    Returns
    -------
    str
        "did you mean ...? ", or "" if no known name is meant, as far as can be told.

    Examples
    --------
    >>> suggestion("replay", ["start", "replay_ratio"])
    "did you mean 'replay_ratio'? "
    """
    # Closer than by default: names such as num_decay_steps and num_training_steps look alike.
    match = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.8)
    other = OTHER_NAMES.get(name.lower(), "")
    found = [other] if other in known else match
    return f"did you mean {found[0]!r}? " if found else ""
