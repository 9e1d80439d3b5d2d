"""One training run as its log tells it, before it is tidied into a study."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pandas as pd

StepsAre = Literal["updates", "tokens", "micro"]

EVAL_COLUMNS = ("step", "domain", "loss")
LR_COLUMNS = ("step", "lr")
TRAIN_COLUMNS = ("step", "loss")


def empty_frame(columns: tuple[str, ...]) -> pd.DataFrame:
    """Table without rows.

    Parameters
    ----------
    columns : tuple of str
        Its columns; ``domain`` is text, all others are numbers.

    Returns
    -------
    DataFrame
    """
    kinds = {c: "str" if c == "domain" else "float64" for c in columns}
    return pd.DataFrame({c: pd.Series(dtype=kind) for c, kind in kinds.items()})


@dataclass
class LogRun:
    """One run as its log tells it.

    A reader copies what it finds: rows stay in the order of the log, with duplicates, NaN and
    steps that start again, all of which `bayescpt.data.readers.tidy` handles for every format. It
    converts only what the format alone can know: which counter is the step, and whether it counts
    from 0.

    Parameters
    ----------
    name : str
        Name of the run: what the log calls it, else `bayescpt.data.readers.names.name_of_path`.
    kind : str
        Name of the reader.
    sources : tuple of Path
        Files that it comes from.
    evals : DataFrame
        Columns ``step``, ``domain`` and ``loss`` (nats). ``step`` is the number of updates done
        before the evaluation: 0 for the start checkpoint.
    lr : DataFrame
        Columns ``step`` and ``lr``, the learning rate in the row of that step. ``step`` is the
        number of the update, from 1. Whether the row holds this update's rate or the next one's
        is found out later.
    train : DataFrame
        Columns ``step`` and ``loss``: training loss of that update, or the mean since the last row.
    config : dict
        What the log or a file beside it says of the recipe, under these keys: ``scheduler`` (the
        trainer's name for it), ``peak_lr``, ``warmup_steps``, ``warmup_ratio``, ``steps``
        (planned), ``decay_steps``, ``stable_steps``, ``decay_type``, ``min_lr``, ``min_lr_ratio``,
        ``warmup_init_lr``, ``n_params``, ``tokens_per_step``, ``seed``, ``accumulation`` (micro
        iterations per update). Leave out what is not known.
    part : str
        Part of the path that the name leaves out, such as ``checkpoint-500`` or ``version_5``; runs
        of one name and different parts are copies or restarts of one run, or runs of their own.
    steps_are : {"updates", "tokens", "micro"}
        What ``step`` counts in all three tables.
    lr_decimals : int or None
        Decimals with which a text log prints learning rates; None for full precision.
    notes : list of str
        What was handled, one sentence each, for the user to read.

    Examples
    --------
    >>> from bayescpt.data.readers.record import LogRun
    >>> LogRun("pilot", "table").evals.columns.tolist()
    ['step', 'domain', 'loss']
    """

    name: str
    kind: str
    sources: tuple[Path, ...] = ()
    evals: pd.DataFrame = field(default_factory=lambda: empty_frame(EVAL_COLUMNS))
    lr: pd.DataFrame = field(default_factory=lambda: empty_frame(LR_COLUMNS))
    train: pd.DataFrame = field(default_factory=lambda: empty_frame(TRAIN_COLUMNS))
    config: dict[str, Any] = field(default_factory=dict)
    part: str = ""
    steps_are: StepsAre = "updates"
    lr_decimals: int | None = None
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class ReadOptions:
    """What the user says about how logs are to be read.

    Parameters
    ----------
    columns : mapping of str to str
        Meaning of columns or metric keys: from a column of the log to ``run``, ``step``,
        ``tokens``, ``lr``, ``train``, ``domain`` or ``loss`` (of a long table), ``eval:NAME``
        (loss on set NAME), ``ppl:NAME`` (its perplexity) or ``ignore``.

    Examples
    --------
    >>> from bayescpt.data.readers.record import ReadOptions
    >>> ReadOptions({"heldout_de": "eval:german"}).columns["heldout_de"]
    'eval:german'
    """

    columns: Mapping[str, str] = field(default_factory=dict)
