"""Opening a study by what a person calls it: its folder, or the name of an example."""

from __future__ import annotations

import os
from pathlib import Path

from bayescpt.data.examples import example_studies, load_example
from bayescpt.data.io import read_study
from bayescpt.data.study import Study
from bayescpt.errors import StudyError


def open_study(given: str | os.PathLike[str]) -> Study:
    """Open a study in a folder, or an example study by name.

    Parameters
    ----------
    given : str or path
        Path or name; a folder takes precedence.

    Returns
    -------
    Study

    Raises
    ------
    StudyError
        If it is neither, or the study is invalid.

    Examples
    --------
    >>> open_study("mpl_25m")
    Study('mpl_25m': 9 pt + 0 cpt runs, 1 domains, 2,059 losses)
    """
    if Path(given).is_dir():
        return read_study(given)
    if str(given) in example_studies():
        return load_example(str(given))
    raise StudyError(
        f"{given}: no folder or example study of that name; examples are "
        f"{', '.join(example_studies())}"
    )
