"""Learn priors of the exponents of the model size from the small real studies of the fleet.

Each of the four targets that are no test is one study of three model sizes, fitted together as
`case_studies.learn_priors` fits studies of one. All other parameters start from the priors of the
card, which those studies taught. The exponents' priors have their centre at 0: models of 0.1 to 1.2
million parameters do not say which way larger ones go, only how far exponents are from 0.

    uv run python -m case_studies.learn_sizes

prints the priors as TOML.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from bayescpt.data import Study, load_example
from bayescpt.model.card_file import load_card
from case_studies.learn_priors import BEYOND, SIZES, TARGETS, learn

STEPS = 2


def steps_table(study: Study, named: Callable[[str], str]) -> pd.DataFrame:
    """Learning rates and replay of every step, with runs named anew.

    Parameters
    ----------
    study : Study
        The study.
    named : callable
        Gives the new name of a run.

    Returns
    -------
    DataFrame
        Columns run, step, lr and replay, as `Study.from_frames` takes them.
    """
    return pd.concat(
        pd.DataFrame(
            {
                "run": named(name),
                "step": np.arange(1, lr.size + 1),
                "lr": lr,
                "replay": study.replays.get(name, np.nan),
            }
        )
        for name, lr in study.lrs.items()
    )


def joint_study(target: str, sizes: Sequence[str] = SIZES) -> Study:
    """Study of one target on models of several sizes.

    Parameters
    ----------
    target : str
        Target of the fleet.
    sizes : sequence of str
        Sizes as the fleet names them.

    Returns
    -------
    Study
        Runs named ``SIZE/NAME``.
    """
    runs, curves, lrs = [], [], []
    for size in sizes:
        study = load_example(f"fleet_{target}_{size}")
        own = study.runs.drop(columns=["schedule", "schedule_params"])
        for column in ("run", "parent", "branch_of"):
            own[column] = [f"{size}/{v}" if isinstance(v, str) and v else v for v in own[column]]
        runs.append(own)
        curves.append(study.curves.assign(run=f"{size}/" + study.curves["run"]))
        lrs.append(steps_table(study, f"{size}/{{}}".format))
    return Study.from_frames(
        pd.concat(curves), pd.concat(runs, ignore_index=True), pd.concat(lrs),
        name=f"fleet_{target}", general="general",
    )  # fmt: skip


def main(arguments: Sequence[str]) -> None:
    """Print priors of the exponents; on standard error, the estimates of every target.

    Parameters
    ----------
    arguments : sequence of str
        Targets to leave out.
    """
    card = load_card("cpt_sizes")
    studies = [joint_study(target) for target in TARGETS if target not in set(arguments)]

    def _say(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    found = learn(studies, card, _say, STEPS, own_priors=True)
    print("[priors]")
    for name in dict.fromkeys(entry.parameter.name for entry in found.entries):
        if not name.startswith("size_"):
            continue
        own = [k for k, entry in enumerate(found.entries) if entry.parameter.name == name]
        for k in own:
            side = {None: "", False: " general", True: " target"}[found.entries[k].target]
            values = " ".join(f"{value:.3f}" for value in found.by_study[:, k])
            _say(f"{name}{side}: {found.mean[k]:.3f} +- {found.sd[k]:.3f}; targets {values}")
        spread = BEYOND * float(np.sqrt(np.mean(found.mean[own] ** 2 + found.sd[own] ** 2)))
        print(
            f'{name} = {{ dist = "Normal", mu = 0.0, sigma = {spread:.2g}, reason = "how far the '
            f"exponents of {len(studies)} targets of the fleet are from 0: "
            'case_studies/learn_sizes.py" }'
        )


if __name__ == "__main__":
    main(sys.argv[1:])
