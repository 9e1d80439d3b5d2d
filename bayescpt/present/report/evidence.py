"""What the answer rests on: checks of the fit, priors against data, and the study."""

from __future__ import annotations

import numpy as np

from bayescpt.inference import Ensemble
from bayescpt.inference.checks import CONFLICT, CONTRACTION
from bayescpt.present.report.case import Case
from bayescpt.present.report.table import Table, extent, fixed, make_table, significant

# What each check asks, for somebody who has never run a sampler.
QUESTIONS = {
    "R-hat": "Do independent chains of the sampler agree?",
    "bulk ESS": "Are there enough independent draws for means?",
    "tail ESS": "Are there enough independent draws for the ends of the bands?",
    "divergences": "Did the sampler reach every corner of the posterior?",
    "tree depth": "Did the sampler have the room that it needed?",
    "E-BFMI": "Did the sampler move between likely and unlikely draws?",
    "contraction": "Did the data inform every parameter, rather than its prior alone?",
    "misfit": "Does the law describe the curves that it was fitted to?",
}
STATUS = {"ok": "passed", "warn": "warning", "fail": "FAILED"}
# Runs of a table; the figure shows all.
MOST_RUNS = 200


def check_table(case: Case) -> Table:
    """Table of the checks of the fit.

    Parameters
    ----------
    case : Case
        The case.

    Returns
    -------
    Table
    """
    rows = [
        (
            check.name,
            # Those of an ensemble are named after its fits.
            QUESTIONS.get(check.name.rpartition(": ")[2], ""),
            STATUS.get(check.status, check.status),
            significant(check.value, 4),
            significant(check.limit, 4),
        )
        for check in case.fit.checks()
    ]
    heads = ("check", "what it asks", "result", "value", "limit")
    return make_table("Checks of the fit", heads, rows)


def check_sentence(case: Case) -> str:
    """Whether the fit can be trusted, in a sentence.

    Parameters
    ----------
    case : Case
        The case.

    Returns
    -------
    str
    """
    checks = case.fit.checks()
    failed = [check.name for check in checks if check.status == "fail"]
    if failed:
        return (
            f"The fit FAILED {', '.join(failed)}: its numbers are not reliable. The report was "
            "made all the same because it was asked for."
        )
    warned = [check.name for check in checks if check.status == "warn"]
    if warned:
        return f"No check failed; {', '.join(warned)} gave a warning, see below."
    return f"All {len(checks)} checks passed."


def prior_table(case: Case) -> Table:
    """Table of prior and posterior intervals.

    Parameters
    ----------
    case : Case
        The case.

    Returns
    -------
    Table
    """
    rows = []
    for name, row in case.before_after.iterrows():
        ratio = float(row["ratio"])
        rows.append((
            str(name), "" if row["unit"] == "1" else str(row["unit"]),
            _interval(row, "prior_"), _interval(row, ""), fixed(ratio, 2), _determined(ratio),
        ))  # fmt: skip
    heads = ("quantity", "unit", "prior", "posterior", "width after / before", "determined by")
    return make_table("Median and 90% interval before and after the data", heads, rows)


def _determined(ratio: float) -> str:
    """What determines a parameter, by the spread after the data over that before."""
    if np.isnan(ratio):
        return ""
    if ratio > CONFLICT:
        return "both: they conflict"
    return "prior" if ratio > CONTRACTION else "data"


def _interval(row: object, prefix: str) -> str:
    low, middle, high = (
        significant(float(row[f"{prefix}{end}"]))  # type: ignore[index]
        for end in ("lower", "median", "upper")
    )
    return f"{middle} [{low}, {high}]"


def run_table(case: Case) -> Table:
    """Table of the runs of the study.

    Parameters
    ----------
    case : Case
        The case.

    Returns
    -------
    Table
        The last measured loss of each run on each fitted domain, in the unit shown.
    """
    study, units = case.fit.study, case.units
    domains = case.fit.rows.labels.domain
    rows = []
    for name in [*study.cpt_runs, *study.pt_runs][:MOST_RUNS]:
        run = study.run(name)
        last = []
        for domain in domains:
            curve = study.curve(name, domain)
            loss = np.nan if curve.empty else float(units.show(curve["loss"].iloc[-1], domain))
            last.append(fixed(loss))
        rows.append((
            name,
            "fitted" if name in case.fit.rows.labels.run else "start only",
            run.parent or "from scratch",
            run.domain or "",
            "" if run.phase == "pt" else extent(run.replay_ratio),
            f"{run.steps:,}",
            "" if run.schedule is None else f"{run.schedule.peak_lr:.3g}",
            "" if run.schedule is None else f"{float(run.schedule.lr[-1]):.3g}",
            *last,
        ))  # fmt: skip
    more = len(study.cpt_runs) + len(study.pt_runs) - len(rows)
    heads = (
        "run", "use", "starts from", "target", "replay", "steps", "peak LR", "last LR",
        *(f"last {domain} loss" for domain in domains),
    )  # fmt: skip
    unit = f" ({case.unit})" if case.unit else ""
    left_out = f"; {more} more are left out" if more > 0 else ""
    return make_table(f"Runs of the study{unit}{left_out}", heads, rows)


def data_sentence(case: Case) -> str:
    """What was fitted, in a sentence.

    Parameters
    ----------
    case : Case
        The case.

    Returns
    -------
    str
    """
    fit, study = case.fit, case.fit.study
    sizes, n_runs = fit.posterior.sizes, len(fit.rows.labels.run)
    if isinstance(fit, Ensemble):
        shares = ", ".join(f"{label} ({weight:.2f})" for label, weight in fit.weights.items())
        cards = f"cards {shares} were each"
    else:
        cards = f"card {fit.card.name} ({fit.card.description.rstrip('.')}) was"
    return (
        f"Study {study.name}: {len(study.cpt_runs)} runs of continual pre-training, "
        f"{len(study.pt_runs)} of pre-training; losses on {', '.join(study.domains)}. The "
        f"{cards} fitted to "
        f"{fit.rows.loss.size:,} losses of {n_runs} runs, with {sizes['chain']} chains of "
        f"{sizes['draw']:,} draws."
    )
