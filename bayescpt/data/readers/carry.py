"""Runs whose log carries on the step count of an earlier run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bayescpt.data.readers.record import LogRun
from bayescpt.data.readers.tidy import distinct_steps, spacing_of


def own_steps(runs: Sequence[LogRun]) -> list[LogRun]:
    """Runs with steps that count from the start of their own phase.

    Parameters
    ----------
    runs : sequence of LogRun
        Joined runs. ``config["step_offset"]``, if given, is the step at which a run starts;
        otherwise it is inferred from a first row that comes several spacings after 0.

    Returns
    -------
    list of LogRun
        ``config["step_offset"]`` holds what was subtracted, where it is not 0.

    Examples
    --------
    >>> import pandas as pd
    >>> from bayescpt.data.readers.carry import own_steps
    >>> from bayescpt.data.readers.record import LogRun
    >>> rows = pd.DataFrame({"step": [5010, 5020, 5030], "loss": [3.0, 2.9, 2.8]})
    >>> done = own_steps([LogRun("cpt", "table", train=rows)])[0]
    >>> done.train["step"].tolist(), done.config["step_offset"]
    ([10, 20, 30], 5000)
    """
    ends = {run.name: _last(run) for run in runs}
    out = []
    for run in runs:
        given = run.config.get("step_offset")
        before = {end: name for name, end in ends.items() if name != run.name}
        offset = int(given) if given is not None else _offset(run, before)
        if run.steps_are == "tokens":
            offset = 0
        out.append(_shifted(run, offset, before) if offset else run)
    return out


def _last(run: LogRun) -> int:
    return max((int(t["step"].max()) for t in (run.evals, run.lr, run.train) if len(t)), default=0)


def _offset(run: LogRun, before: dict[int, str]) -> int:
    """Step at which a run starts, 0 unless its first row comes several spacings later."""
    logged = [table["step"].to_numpy() for table in (run.lr, run.train) if len(table)]
    evaluated = distinct_steps(run.evals["step"].to_numpy())
    if not logged:
        # Without a training row, only the end of another run tells where this one starts.
        return int(evaluated[0]) if evaluated.size and int(evaluated[0]) in before else 0
    steps = distinct_steps(*logged)
    first, spacing = int(steps[0]), max(int(spacing_of(steps)), 1)
    if steps.size < 2 or first <= max(3 * spacing, 10):
        return 0
    if evaluated.size and evaluated[0] <= max(spacing, 1):
        return 0  # evaluated from the start, so only the training rows are missing
    near = [int(evaluated[0])] if evaluated.size else []
    near += [end for end in before if end]
    for step in near:
        if first - 2 * spacing <= step < first:
            return step
    return (first - 1) // spacing * spacing


def _shifted(run: LogRun, offset: int, before: dict[int, str]) -> LogRun:
    tables = {}
    for table in ("evals", "lr", "train"):
        frame = getattr(run, table)
        frame = frame[frame["step"] >= offset + (table != "evals")]
        tables[table] = frame.assign(step=frame["step"] - offset).reset_index(drop=True)
    said = f"the step count carries on from {offset}, which is subtracted"
    if offset in before:
        said += f"; run {before[offset]!r} ends there: if it is the parent, name it in runs.csv"
    else:
        said += "; give step_offset in runs.csv where the run starts at another step"
    config = run.config | {"step_offset": offset}
    return replace(run, **tables, config=config, notes=[*run.notes, said])
