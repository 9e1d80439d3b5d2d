"""Findings about a study, and the registry of the functions that look for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from bayescpt.data.findings.view import StudyView

if TYPE_CHECKING:
    from bayescpt.data.study_data import StudyData


@dataclass(frozen=True)
class Finding:
    """Something in a valid study that is likely wrong.

    Attributes
    ----------
    kind : str
        Name of the check that found it, such as "start".
    runs : tuple of str
        Runs that it is about.
    text : str
        One sentence: the run, the value, and what would be expected.
    """

    kind: str
    runs: tuple[str, ...]
    text: str

    def __str__(self) -> str:
        """Return the sentence."""
        return self.text


type Search = Callable[[StudyView], Iterator[Finding]]

_REGISTRY: dict[str, Search] = {}


def register_finding(kind: str) -> Callable[[Search], Search]:
    """Register a function that looks for one kind of finding.

    To add a kind, write one file ``bayescpt/data/findings/kinds/<kind>.py`` with a generator
    function of a `StudyView`, decorated with this. It is found by itself, and `Study.findings`,
    ``bayescpt check``, fits and forecasts carry what it yields. Its thresholds are named constants
    that say what sound studies reach. tests/faults/test_wrong_answers.py runs it on all of them,
    and takes a study spoilt in one way in which it must find something.

    Parameters
    ----------
    kind : str
        Its name.

    Returns
    -------
    callable
        Decorator that returns the function itself.

    Examples
    --------
    >>> from bayescpt.data.findings import Finding, register_finding
    >>> @register_finding("tiny")  # doctest: +SKIP
    ... def tiny(view):
    ...     if len(view.study.curves) < 10:
    ...         yield Finding("tiny", (), f"{len(view.study.curves)} losses: expected 10 or more")
    """

    def _registered(search: Search) -> Search:
        _REGISTRY[kind] = search
        return search

    return _registered


def study_findings(study: StudyData) -> tuple[Finding, ...]:
    """Everything in a study that is likely wrong.

    Parameters
    ----------
    study : Study
        The study.

    Returns
    -------
    tuple of Finding
        In the order of the names of their kinds; empty for a sound study.

    Examples
    --------
    >>> from bayescpt.data import load_example
    >>> from bayescpt.data.findings import study_findings
    >>> study_findings(load_example("cpt_micro"))
    ()
    """
    import_module("bayescpt.data.findings.kinds")  # registers them

    view = StudyView(study)
    return tuple(found for kind in sorted(_REGISTRY) for found in _REGISTRY[kind](view))
