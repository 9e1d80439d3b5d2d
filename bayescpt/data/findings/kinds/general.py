"""Studies of continual pre-training that do not say which set is general."""

from __future__ import annotations

from collections.abc import Iterator

from bayescpt.data.findings.registry import Finding, register_finding
from bayescpt.data.findings.view import StudyView


@register_finding("general")
def general(view: StudyView) -> Iterator[Finding]:
    """Sets that no run is trained for, where none is the general one.

    Without it replay acts on no loss as it does on that of the general set.

    Parameters
    ----------
    view : StudyView
        The study.

    Yields
    ------
    Finding
    """
    study = view.study
    others = [domain for domain in view.domains if domain not in study.targets]
    if study.general or not study.targets or not others:
        return
    sets = " or ".join(f'general = "{domain}"' for domain in others)
    yield Finding(
        "general",
        (),
        "the study has no general domain, the set that forgetting and replay are measured on: say "
        f"{sets} in study.toml",
    )
