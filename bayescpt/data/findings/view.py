"""A study as the searches for findings read it: curves as arrays, looked up once."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bayescpt.errors import StudyError

if TYPE_CHECKING:
    from bayescpt.data.run import Run
    from bayescpt.data.study_data import StudyData

type Curve = tuple[NDArray[np.int64], NDArray[np.float64]]

# Standard deviation of normal noise over the median of its absolute second differences.
_OF_SECOND_DIFFERENCES = 1.4826 / np.sqrt(6.0)
# Runs that a sentence names.
_NAMED = 3
_EMPTY: Curve = (np.empty(0, np.int64), np.empty(0))


class StudyView:
    """Runs and curves of a study.

    Parameters
    ----------
    study : Study
        The study.

    Attributes
    ----------
    study : Study
        The study.
    runs : dict of str to Run
        Its runs by name.
    domains : tuple of str
        Its domains.
    """

    def __init__(self, study: StudyData) -> None:
        self.study = study
        names = [str(name) for name in study.runs["run"]]
        self.runs: dict[str, Run] = {name: study.run(name) for name in names}
        self.domains = study.domains

    @cached_property
    def curves(self) -> dict[tuple[str, str], Curve]:
        """Steps and losses (in ``curves_unit``) by run and domain."""
        return {
            (str(run), str(domain)): (rows["step"].to_numpy(), rows["loss"].to_numpy())
            for (run, domain), rows in self.study.curves.groupby(["run", "domain"], sort=False)
        }

    def curve(self, run: str, domain: str | None) -> Curve:
        """Steps and losses of a run on a domain, empty where there are none.

        Parameters
        ----------
        run : str
            Name of the run.
        domain : str or None
            Name of the domain.

        Returns
        -------
        steps : ndarray of int, shape (n,)
            Steps.
        losses : ndarray, shape (n,)
            Losses.
        """
        return self.curves.get((run, domain or ""), _EMPTY)

    def trained(self, run: str) -> str | None:
        """Domain that a run is trained on, whose loss must fall.

        Parameters
        ----------
        run : str
            Name of the run.

        Returns
        -------
        str or None
            The target of a cpt run, the general domain of a pt run.
        """
        found = self.runs[run]
        return found.domain if found.phase == "cpt" else self.study.general

    @cached_property
    def jitter(self) -> dict[str, float]:
        """Standard deviation of the noise of single losses, by domain: the median over curves."""
        found: dict[str, list[float]] = {domain: [] for domain in self.domains}
        for (_, domain), (_, losses) in self.curves.items():
            # The first rows bend too much to tell.
            late = losses[losses.size // 4 :]
            if late.size >= 6:
                spread = np.median(np.abs(np.diff(late, n=2)))
                found[domain].append(float(spread) * _OF_SECOND_DIFFERENCES)
        return {domain: float(np.median(each)) if each else 0.0 for domain, each in found.items()}

    def shown(self, loss: float, domain: str) -> str:
        """A loss in the unit of the study, as text.

        Parameters
        ----------
        loss : float
            In ``curves_unit``.
        domain : str
            Its domain.

        Returns
        -------
        str
        """
        try:
            return f"{float(self.study.units.show(np.array([loss]), domain)[0]):.4g}"
        except StudyError:  # fits of earlier versions may hold losses in other units
            return f"{loss:.4g}"


def named(runs: tuple[str, ...] | list[str]) -> str:
    """Some runs in words, the first few by name.

    Parameters
    ----------
    runs : sequence of str
        Names.

    Returns
    -------
    str

    Examples
    --------
    >>> from bayescpt.data.findings.view import named
    >>> named(["a"]), named(["a", "b", "c", "d"])
    ("run 'a'", "runs 'a', 'b', 'c' and 1 more")
    """
    listed = ", ".join(repr(run) for run in runs[:_NAMED])
    more = f" and {len(runs) - _NAMED} more" if len(runs) > _NAMED else ""
    return f"run{'s' if len(runs) > 1 else ''} {listed}{more}"
