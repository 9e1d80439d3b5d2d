"""Runs with a common trunk that is not named."""

from __future__ import annotations

from collections.abc import Iterator

from bayescpt.data.checks.copies import copies
from bayescpt.data.findings.registry import Finding, register_finding
from bayescpt.data.findings.view import StudyView


@register_finding("copies")
def same_losses(view: StudyView) -> Iterator[Finding]:
    """Runs whose first losses agree to the last digit, though neither branches off the other.

    Parameters
    ----------
    view : StudyView
        The study.

    Yields
    ------
    Finding
    """
    for copy in copies(view.study.curves, view.study.runs):
        yield Finding(
            "copies",
            (copy.first, copy.second),
            f"run {copy.second!r} has the losses of run {copy.first!r} to the last digit up to "
            f"step {copy.last} ({copy.rows} rows), which then count twice: name the trunk in "
            "branch_of and branch_step of runs, or leave one out",
        )
