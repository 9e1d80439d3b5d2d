"""Runs without losses after their start."""

from __future__ import annotations

from collections.abc import Iterator

from bayescpt.data.findings.registry import Finding, register_finding
from bayescpt.data.findings.view import StudyView, named


@register_finding("rows")
def rows(view: StudyView) -> Iterator[Finding]:
    """Runs that nothing can be learned from, and that no other run needs.

    Parameters
    ----------
    view : StudyView
        The study.

    Yields
    ------
    Finding
    """
    needed = {link for run in view.runs.values() for link in (run.parent, run.branch_of)}
    measured = {run for (run, _), (steps, _) in view.curves.items() if steps[-1] > 0}
    empty = [
        name
        for name, run in view.runs.items()
        if name not in measured and (run.phase == "cpt" or name not in needed)
    ]
    if empty:
        has = "have" if len(empty) > 1 else "has"
        yield Finding(
            "rows",
            tuple(empty),
            f"{named(empty)} {has} no loss after step 0 in curves, so that fits leave "
            f"{'them' if len(empty) > 1 else 'it'} out: is a name misspelt, or a log missing?",
        )
