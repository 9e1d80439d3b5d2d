"""``bayescpt findings``: the paper's findings and derived quantities on a fit, with intervals."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bayescpt.cli.options import AllowFailed, Extrapolate, FitFile, Json, Seed
from bayescpt.cli.output import fixed, notes, records, say, show_json, show_table

if TYPE_CHECKING:
    from bayescpt.decide import Findings
    from bayescpt.decide.derived.quantity import Quantity
    from bayescpt.forecast.ratios import Ratio

# Short names of critical points in the table.
SETTINGS = {"replay_ratio": "critical replay ratio", "lr": "critical peak LR"}


def findings(  # numpydoc ignore=PR01
    fit: FitFile,
    space: Annotated[
        Path | None,
        typer.Option(
            "--space",
            metavar="FILE",
            help="TOML file with a table [space], as for optimise; by default the ranges of start, "
            "peak LR and replay ratio that the pilots span, with up to ten times their steps.",
        ),
    ] = None,
    weights: Annotated[
        list[float] | None,
        typer.Option(
            "--general-weight",
            metavar="W",
            help="Weight of the general loss against the target, 0 to 1; by default 0.25, 0.5 and "
            "0.75. Repeatable.",
        ),
    ] = None,
    tolerance: Annotated[
        str,
        typer.Option(
            metavar="NATS|%", help="Rise of the general loss that the critical mixture may cost."
        ),
    ] = "0.05",
    seed: Seed = 0,
    extrapolate: Extrapolate = False,
    allow_failed: AllowFailed = False,
    as_json: Json = False,
) -> None:
    """Which findings of the CPT paper hold on a study, and quantities that follow from the law.

    Loss potential, peak LR, optimal recipes and the general loss over steps (Wang et al.,
    arXiv 2505.07796), each with its probability; turning length, critical points and critical
    mixture ratio with intervals. All are about the expected curve.
    """
    from bayescpt.decide import paper_findings, read_space
    from bayescpt.decide.derived.findings import WEIGHTS
    from bayescpt.inference import load_fit

    searched = None if space is None else read_space(space)
    fitted = load_fit(fit)
    found = paper_findings(
        fitted,
        searched,
        weights or WEIGHTS,
        random_seed=seed,
        allow_failed=allow_failed,
        extrapolate=extrapolate,
    )
    ratio = None
    if found.plan.replay_ratio is not None:
        ratio = fitted.critical_ratio(found.plan, tolerance, allow_failed=allow_failed)
    derived = _derived(found, ratio, tolerance)
    if as_json:
        show_json(
            {
                "study": fitted.study.name,
                "recipe": found.recipe,
                "findings": records(found.table.rename_axis("row")),
                "derived": derived,
                "warnings": _cautions(found, ratio),
                "failed_checks": fitted.failed_checks,
            }
        )
    else:
        show_findings(found)
        show_derived(derived)
        notes(fitted.failed_checks, _cautions(found, ratio))
    if fitted.failed_checks:
        raise typer.Exit(1)


def _derived(found: Findings, ratio: Ratio | None, tolerance: str) -> list[dict[str, Any]]:
    """One row per derived quantity; an end is infinite where it lies beyond what was searched."""
    quantities: list[tuple[str, Quantity]] = [("turning length, steps", found.turning)]
    quantities += [(SETTINGS[name], point) for name, point in found.critical.items()]
    rows: list[dict[str, Any]] = []
    for name, one in quantities:
        low, high = one.interval(0.9)
        rows.append(
            {
                "quantity": name,
                "median": one.median,
                "lower": low,
                "upper": high,
                "searched": [one.low, one.high],
                "prob_below": one.below,
                "below": one.below_means,
                "prob_above": one.above,
                "above": one.above_means,
            }
        )
    if ratio is not None:
        low, high = ratio.interval(0.9)
        rows.append(
            {
                "quantity": f"critical target share, general +{tolerance.removeprefix('+')}",
                "median": ratio.median,
                "lower": low,
                "upper": high,
                "searched": [0.0, 1.0],
                "prob_below": 1.0 - ratio.possible,
                "below": "no share is within it",
                "prob_above": 0.0,
                "above": "",
            }
        )
    return rows


def _cautions(found: Findings, ratio: Ratio | None) -> list[str]:
    """What holds for the tables."""
    points = [(SETTINGS[name], point.notes) for name, point in found.critical.items()]
    every = [("turning length", found.turning.notes), *points]
    every += [] if ratio is None else [("critical target share", ratio.notes)]
    return [*found.notes, *(f"{name}: {text}" for name, texts in every for text in texts)]


def show_findings(found: Findings) -> None:
    """Print statements with their probabilities.

    Parameters
    ----------
    found : Findings
        Output of `paper_findings`.
    """
    say(f"recipe, one setting moved at a time: {found.recipe}")
    say()
    rows = []
    for _, row in found.table.iterrows():
        told = row["mcse"] == row["mcse"]
        apart = f"{row['median']:+.3f} [{row['lower']:+.3f}, {row['upper']:+.3f}]"
        detail = [apart] if row["median"] == row["median"] else []
        detail += [row["note"]] if row["note"] else []
        rows.append(
            [
                f"{row['finding']}  {row['statement']}",
                f"{fixed(row['probability'])} ± {_error(row['mcse'])}" if told else "",
                fixed(row["in_runs"]),
                "; ".join(detail),
            ]
        )
    show_table(
        "findings of the CPT paper: probability under the law (± Monte Carlo standard error), "
        "that two new runs show it, and the difference with its 90% interval in nats",
        ["finding", "probability", "two runs", "difference or note"],
        rows,
    )


def show_derived(rows: list[dict[str, Any]]) -> None:
    """Print derived quantities.

    Parameters
    ----------
    rows : list of dict
        Quantity, median, lower, upper, what was searched and the probabilities of what lies
        beyond.
    """
    from bayescpt.decide.derived.quantity import show_within

    cells = []
    for row in rows:
        median, lower, upper = (
            show_within(row[key], *row["searched"]) for key in ("median", "lower", "upper")
        )
        beyond = [
            f"{row[side]}: {row[f'prob_{side}']:.2f}"
            for side in ("below", "above")
            if row[f"prob_{side}"] > 0
        ]
        cells.append([row["quantity"], median, f"[{lower}, {upper}]", "; ".join(beyond)])
    show_table(
        "derived quantities, with 90% intervals",
        ["quantity", "median", "90% interval", "probability beyond"],
        cells,
    )


def _error(value: float) -> str:
    """Monte Carlo error to three decimals, never shown as 0."""
    return fixed(value) if value >= 0.0005 else "<.001"
