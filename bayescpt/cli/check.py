"""``bayescpt check``: validate a study and summarise it."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from bayescpt.cli.options import Figure, Json, StudyName
from bayescpt.cli.output import fixed, say, show_json, show_table
from bayescpt.cli.output_files import check_outputs, save_figure
from bayescpt.text import printable

if TYPE_CHECKING:
    from bayescpt.data import Study


def check(  # numpydoc ignore=PR01
    study: StudyName, figure: Figure = None, as_json: Json = False
) -> None:
    """Validate a study and summarise it.

    If the study is invalid, one line names file, run, step and value, and the exit code is 2. What
    is valid but likely wrong is a warning, which fits and forecasts repeat; the exit code is 0.
    --figure draws the curves and the schedules.
    """
    check_outputs({}, {"--figure": figure}, [study])
    from bayescpt.data.open_study import open_study
    from bayescpt.data.units import loss_label, unit_name
    from bayescpt.model.thinning import thinning_note

    opened = open_study(study)
    runs = [_describe(opened, name) for name in (*opened.pt_runs, *opened.cpt_runs)]
    odd, thinned = opened.findings(), thinning_note(opened)
    if figure is not None:
        save_figure(opened.plot(), figure)
    if as_json:
        show_json(
            {
                "study": opened.name,
                "digest": opened.digest,
                "loss_unit": opened.loss_unit,
                "allow_mixed": list(opened.allow_mixed),
                "general": opened.general,
                "domains": list(opened.domains),
                "targets": list(opened.targets),
                "out_of_domain": list(opened.out_of_domain),
                "losses": len(opened.curves),
                "runs": runs,
                "notes": [found.text for found in odd],
                "thinned": thinned,
                "findings": [asdict(found) for found in odd],
            }
        )
        return
    show_table(
        f"{opened.name}: {len(opened.pt_runs)} pre-training and {len(opened.cpt_runs)} continual "
        f"pre-training runs; {loss_label(opened.loss_unit)}",
        ["run", "phase", "start", "domain", "replay", "steps", "peak LR", "final LR", "losses"]
        + [f"last {domain}" for domain in opened.domains],
        [
            [
                run["run"],
                run["phase"],
                run["start"] or "",
                run["domain"] or "",
                _ratio(run["replay_ratio"]),
                _steps(run),
                "" if run["peak_lr"] is None else f"{run['peak_lr']:.3g}",
                "" if run["final_lr"] is None else f"{run['final_lr']:.3g}",
                run["losses"],
                *(fixed(run["last_loss"].get(domain), 4) for domain in opened.domains),
            ]
            for run in runs
        ],
    )
    targets = printable(", ".join(opened.targets)) or "none"
    say(
        f"general domain: {printable(opened.general or 'none')}; targets: {targets}; "
        f"loss unit: {unit_name(opened.loss_unit)}; digest {opened.digest[:12]}"
    )
    if opened.out_of_domain:
        sets = printable(", ".join(opened.out_of_domain))
        say(f"out-of-domain sets, combinations of the general and the target loss: {sets}")
    for column, meaning in (("n_params", "parameters"), ("tokens_per_step", "tokens per step")):
        say(f"{meaning}: {_range(opened, column)}")
    if thinned:
        say(f"note: {thinned}")
    for found in odd:
        say(f"warning: {found.text}")
    if odd:
        many = f"{len(odd)} warnings" if len(odd) > 1 else "1 warning"
        say(f"{many}: fits and forecasts of this study repeat {'them' if len(odd) > 1 else 'it'}")
    else:
        say("no problems found")
    if figure is not None:
        say(f"wrote {figure}")


def _describe(study: Study, name: str) -> dict[str, Any]:
    """Summary of a run, as plain values."""
    import numpy as np

    from bayescpt.data.in_flight import observed_steps

    run = study.run(name)
    ratio = np.asarray(run.replay_ratio, dtype=float)
    curves = {
        domain: study.units.show(study.curve(name, domain)["loss"], domain)
        for domain in study.domains
    }
    return {
        "run": name,
        "phase": run.phase,
        "start": run.parent,
        "domain": run.domain,
        "branch_of": run.branch_of,
        "branch_step": run.branch_step,
        "replay_ratio": float(ratio) if not ratio.ndim else [ratio.min(), ratio.max()],
        "steps": run.steps,
        "steps_observed": observed_steps(study, name),
        "peak_lr": None if run.schedule is None else run.schedule.peak_lr,
        "final_lr": None if run.schedule is None else run.schedule.final_lr,
        "n_params": run.n_params,
        "tokens_per_step": run.tokens_per_step,
        "losses": sum(len(curve) for curve in curves.values()),
        "last_loss": {domain: float(c[-1]) for domain, c in curves.items() if len(c)},
    }


def _steps(run: dict[str, Any]) -> int | str:
    """Number of steps; of a run in flight also those that its losses cover."""
    steps, seen = run["steps"], run["steps_observed"]
    return f"{seen} of {steps}" if 0 < seen < steps else steps


def _range(study: Study, column: str) -> str:
    """Smallest and largest value of a column of runs, and whether they may differ."""
    values = study.runs[column].dropna()
    if values.empty:
        return "not given"
    low, high = float(values.min()), float(values.max())
    text = f"{low:,.12g}" if low == high else f"{low:,.12g} to {high:,.12g}"
    return f"{text} (mixed values are allowed)" if column in study.allow_mixed else text


def _ratio(ratio: float | list[float]) -> str:
    values = ratio if isinstance(ratio, list) else [ratio]
    return "..".join("" if math.isnan(v) else f"{v:g}" for v in values)
