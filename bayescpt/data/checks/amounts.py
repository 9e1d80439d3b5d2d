"""Check that sizes of models, batches and vocabularies are amounts."""

from __future__ import annotations

import pandas as pd

from bayescpt.data.checks.columns import to_numbers
from bayescpt.errors import StudyError

# More than anyone has trained or will soon.
MOST = {"n_params": 1e15, "tokens_per_step": 1e12, "tokens": 1e18, "vocab_size": 1e9}


def check_amounts(runs: pd.DataFrame) -> None:
    """Check model sizes, tokens and vocabularies, of which a logarithm is taken.

    Parameters
    ----------
    runs : DataFrame
        Table of runs; blanks, and columns that are not there, are passed over.

    Raises
    ------
    StudyError
        If one is not above 0, or absurdly large.

    Examples
    --------
    >>> import pandas as pd
    >>> check_amounts(pd.DataFrame({"run": ["a"], "n_params": [0]}))
    Traceback (most recent call last):
        ...
    bayescpt.errors.StudyError: runs: run 'a': n_params is 0; expected above 0
    """
    for column, most in MOST.items():
        if column not in runs:
            continue
        values = to_numbers(runs[column], column, runs["run"], "runs")
        for name, value in zip(runs["run"], values, strict=True):
            if value <= 0:
                raise StudyError(f"runs: run {name!r}: {column} is {value:g}; expected above 0")
            if value > most:
                raise StudyError(
                    f"runs: run {name!r}: {column} is {value:g}; expected at most {most:g}"
                )
