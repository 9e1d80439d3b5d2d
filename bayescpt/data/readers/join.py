"""Logs of one run in several files: copies, restarts and complements, joined into one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from bayescpt.data.readers.names import name_of_path
from bayescpt.data.readers.record import LogRun
from bayescpt.data.readers.tidy import distinct_steps, spacing_of

_TABLES = ("evals", "lr", "train")


def join_runs(runs: Sequence[LogRun]) -> list[LogRun]:
    """One `LogRun` per run, each under a name of its own.

    Logs of one name in one folder belong together if one is a copy of the other (checkpoints of
    transformers), takes up where the other ends (a restart), or has what the other lacks
    (evaluations beside training losses). Otherwise they are runs of their own, and the name says in
    which part of the path they lie.

    Parameters
    ----------
    runs : sequence of LogRun
        Tidied logs.

    Returns
    -------
    list of LogRun

    Examples
    --------
    >>> import pandas as pd
    >>> from bayescpt.data.readers.join import join_runs
    >>> from bayescpt.data.readers.record import LogRun
    >>> first = pd.DataFrame({"step": [10, 20, 30], "loss": [3.0, 2.9, 2.8]})
    >>> again = pd.DataFrame({"step": [30, 40], "loss": [2.7, 2.6]})
    >>> parts = [LogRun("a", "table", train=first), LogRun("a", "table", train=again)]
    >>> joined = join_runs(parts)[0]
    >>> joined.train["loss"].tolist(), joined.notes
    ([3.0, 2.9, 2.7, 2.6], ['joined from 2 logs: steps 10-30, 30-40'])
    """
    groups: dict[tuple[str, str], list[LogRun]] = {}
    for run in runs:
        groups.setdefault((run.name, _home(run)), []).append(run)
    joined: list[tuple[LogRun, str]] = []
    for (_, home), parts in groups.items():
        joined += [(run, home) for run in _chains(parts)]
    return _distinct(joined)


def _home(run: LogRun) -> str:
    """Folder of a run that is called after its path; "" where the log itself names the run."""
    if not run.sources:
        return ""
    name, _ = name_of_path(run.sources[0])
    if run.name != name:
        return ""
    own = run.sources[0].absolute()
    return str(next((folder for folder in own.parents if folder.name == name), own.parent))


def _chains(parts: list[LogRun]) -> list[LogRun]:
    """Runs that the logs of one name tell of."""
    chains: list[list[LogRun]] = []
    for part in sorted(parts, key=_first_and_last):
        chain = next((c for c in chains if _belongs(c, part)), None)
        if chain is None:
            chains.append([part])
        else:
            chain.append(part)
    out = [_merge(chain) for chain in chains]
    if len(out) == 1:
        return out
    return [replace(run, name=f"{run.name}-{run.part.replace('/', '-')}" if run.part else run.name)
            for run in out]  # fmt: skip


def _first_and_last(run: LogRun) -> tuple[float, float]:
    first, last, _ = _span(run)
    return first, last


def _span(run: LogRun) -> tuple[float, float, float]:
    """First and last logged step, and the spacing between them."""
    steps = distinct_steps(*(getattr(run, table)["step"].to_numpy() for table in _TABLES))
    steps = steps[steps > 0] if (steps > 0).any() else steps
    return (float(steps[0]), float(steps[-1]), spacing_of(steps)) if steps.size else (0, 0, 0)


def _belongs(chain: list[LogRun], part: LogRun) -> bool:
    if re.fullmatch(r"(checkpoint-\d+)?", part.part) and all(
        re.fullmatch(r"(checkpoint-\d+)?", run.part) and run.kind == part.kind for run in chain
    ):
        return True
    if any(_same_rows(run, part) for run in chain):
        return True
    # Tables that fill each other's gaps.
    filled = {table for run in chain for table in _TABLES if len(getattr(run, table))}
    own = {table for table in _TABLES if len(getattr(part, table))}
    if not filled & own:
        return True
    first, _, spacing = _span(part)
    earlier = min(_span(run)[0] for run in chain)
    return first > earlier + max(1.5 * spacing, 1)


def _same_rows(one: LogRun, other: LogRun) -> bool:
    """Whether two logs agree wherever both have a row."""
    compared = 0
    for table, on in (("train", ["step"]), ("evals", ["step", "domain"])):
        both = getattr(one, table).merge(getattr(other, table), on=on)
        if not np.allclose(both["loss_x"], both["loss_y"], rtol=1e-3):
            return False
        compared += len(both)
    return compared > 2


def _merge(chain: list[LogRun]) -> LogRun:
    """Logs of one run as one: where two have rows, those of the later log."""
    if len(chain) == 1:
        return chain[0]
    first = chain[0]
    tables = {table: getattr(first, table) for table in _TABLES}
    restarts = [first]
    for part in chain[1:]:
        copy = any(_same_rows(run, part) for run in restarts) or part.part.startswith("checkpoint")
        begins = _span(part)[0]
        for table in _TABLES:
            new = getattr(part, table)
            if not len(new):
                continue
            old = tables[table]
            # After a restart, what the earlier log has beyond it was abandoned.
            old = old if copy else old[old["step"] < begins]
            on = ["domain", "step"] if table == "evals" else ["step"]
            rows = pd.concat([old, new] if len(old) else [new], ignore_index=True)
            tables[table] = rows.drop_duplicates(on, keep="last").sort_values(on, ignore_index=True)
        if not copy:
            restarts.append(part)
    notes = [note for run in chain for note in run.notes]
    if len(restarts) > 1:
        spans = ", ".join("{:.0f}-{:.0f}".format(*_span(run)[:2]) for run in restarts)
        notes.append(f"joined from {len(restarts)} logs: steps {spans}")
    if copies := len(chain) - len(restarts):
        notes.append(f"{copies + 1} logs are copies of one run: the longest counts")
    config = {key: value for run in chain for key, value in run.config.items()}
    sources = tuple(dict.fromkeys(path for run in chain for path in run.sources))
    return replace(
        chain[-1], **tables, config=config, sources=sources, part=first.part,
        notes=list(dict.fromkeys(notes)),
    )  # fmt: skip


def _distinct(runs: list[tuple[LogRun, str]]) -> list[LogRun]:
    """Runs of one name told apart by the folder above."""
    names = [run.name for run, _ in runs]
    out: list[LogRun] = []
    taken: set[str] = set()
    for run, home in runs:
        name = run.name
        if names.count(name) > 1:
            folder = Path(home or (run.sources[0] if run.sources else name))
            above = folder.parent.name if folder.name == name else folder.name
            name = f"{above}-{name}"
        number = 2
        while name in taken:
            name = f"{name.rpartition('#')[0] or name}#{number}"
            number += 1
        taken.add(name)
        out.append(replace(run, name=name))
    return out
