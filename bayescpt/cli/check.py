"""``bayescpt check``: is the study sound, and what is in it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from bayescpt.cli.inputs import open_study
from bayescpt.cli.options import Json, StudyName
from bayescpt.cli.output import fixed, say, show_json, show_table

if TYPE_CHECKING:
    from bayescpt.data import Study


def check(  # numpydoc ignore=PR01
    study: StudyName, as_json: Json = False
) -> None:
    """Check a study and show what is in it.

    Exit code 2 and one line that names file, run, step and value where it has a defect.
    """
    read = open_study(study)
    runs = [_describe(read, name) for name in (*read.pt_runs, *read.cpt_runs)]
    if as_json:
        show_json(
            {
                "study": read.name,
                "digest": read.digest,
                "loss_unit": read.loss_unit,
                "general": read.general,
                "domains": list(read.domains),
                "targets": list(read.targets),
                "losses": len(read.curves),
                "runs": runs,
            }
        )
        return
    show_table(
        f"{read.name}: {len(read.pt_runs)} pre-training and {len(read.cpt_runs)} continual runs",
        ["run", "phase", "start", "domain", "replay", "steps", "peak LR", "end LR", "losses"]
        + [f"last {domain}" for domain in read.domains],
        [
            [
                run["run"],
                run["phase"],
                run["start"] or "",
                run["domain"] or "",
                _ratio(run["replay_ratio"]),
                run["steps"],
                "" if run["peak_lr"] is None else f"{run['peak_lr']:.3g}",
                "" if run["final_lr"] is None else f"{run['final_lr']:.3g}",
                run["losses"],
                *(fixed(run["last_loss"].get(domain), 4) for domain in read.domains),
            ]
            for run in runs
        ],
    )
    say(
        f"general set: {read.general or 'none'}; targets: {', '.join(read.targets) or 'none'}; "
        f"unit: {read.loss_unit}; digest {read.digest[:12]}"
    )
    say("no defect found")


def _describe(study: Study, name: str) -> dict[str, Any]:
    """Return what the study knows of a run, as plain values."""
    import numpy as np

    run = study.run(name)
    ratio = np.asarray(run.replay_ratio, dtype=float)
    curves = {domain: study.curve(name, domain)["loss"] for domain in study.domains}
    return {
        "run": name,
        "phase": run.phase,
        "start": run.parent,
        "domain": run.domain,
        "branch_of": run.branch_of,
        "branch_step": run.branch_step,
        "replay_ratio": float(ratio) if not ratio.ndim else [ratio.min(), ratio.max()],
        "steps": run.steps,
        "peak_lr": None if run.schedule is None else run.schedule.peak_lr,
        "final_lr": None if run.schedule is None else run.schedule.final_lr,
        "losses": sum(len(curve) for curve in curves.values()),
        "last_loss": {domain: float(c.iloc[-1]) for domain, c in curves.items() if len(c)},
    }


def _ratio(ratio: float | list[float]) -> str:
    values = ratio if isinstance(ratio, list) else [ratio]
    return "..".join("" if math.isnan(v) else f"{v:g}" for v in values)
