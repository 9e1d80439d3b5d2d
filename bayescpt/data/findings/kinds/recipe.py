"""Recipes that are valid but odd: learning rates, mixed sizes."""

from __future__ import annotations

from collections.abc import Iterator

from bayescpt.data.checks.mixed import MEANINGS, differing
from bayescpt.data.checks.plausible import lr_notes
from bayescpt.data.final_losses import is_final
from bayescpt.data.findings.registry import Finding, register_finding
from bayescpt.data.findings.view import StudyView


@register_finding("lr")
def learning_rates(view: StudyView) -> Iterator[Finding]:
    """Learning rates that look like another unit or not like those planned.

    Parameters
    ----------
    view : StudyView
        The study.

    Yields
    ------
    Finding
    """
    peaks = {run: float(lr.max()) for run, lr in view.study.lrs.items()}
    for text in lr_notes(view.study.runs, peaks):
        yield Finding("lr", tuple(run for run in view.runs if repr(run) in text), text)


@register_finding("mixed")
def mixed(view: StudyView) -> Iterator[Finding]:
    """Model or batch sizes that differ, where the study allows it.

    Parameters
    ----------
    view : StudyView
        The study.

    Yields
    ------
    Finding
    """
    # Laws of final losses have a term for the size.
    allowed = () if is_final(view.study) else view.study.allow_mixed
    for column in allowed:
        if found := differing(view.study.runs, column):
            (low, smallest), (high, largest) = found
            yield Finding(
                "mixed",
                (low, high),
                f"{column} is {smallest:,.12g} in run {low!r} but {largest:,.12g} in run {high!r} "
                f"(allow_mixed): the laws have no term for the {MEANINGS[column]} "
                + ("of runs from one base, " if column == "n_params" else "")
                + "and take what it does for something else",
            )
