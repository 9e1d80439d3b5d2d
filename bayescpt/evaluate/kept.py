"""Results of refits and simulations as bytes, to be kept in a work folder, and what they are of."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa

from bayescpt.work import Work, digest

if TYPE_CHECKING:
    from bayescpt.data import Study

# What damaged or foreign bytes raise in these readers.
_UNREADABLE = (KeyError, OSError, TypeError, ValueError, zipfile.BadZipFile, pa.ArrowException)
# Options of a fit that do not change its draws.
_WITHOUT_EFFECT = ("cores", "progress")


def effective(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options of a fit that its draws depend on.

    Parameters
    ----------
    options : Mapping
        Options of ``bayescpt.fit``.

    Returns
    -------
    dict
    """
    return {name: value for name, value in options.items() if name not in _WITHOUT_EFFECT}


def about_backtest(
    study: Study,
    by: str,
    seed: int,
    method: Callable[..., Any],
    given: Mapping[str, Any],
    options: Mapping[str, Any],
) -> dict[str, Any]:
    """What the refits of a backtest depend on.

    Parameters
    ----------
    study : Study
        The study.
    by : str
        What is held out.
    seed : int
        Seed of all refits.
    method : callable
        The forecasting method.
    given : Mapping
        Options of what is held out; those that are None are left out.
    options : Mapping
        Options of the method.

    Returns
    -------
    dict
        For `Work`.
    """
    used = effective(options)
    card = digest(used.pop("card", None))
    asked = {name: value for name, value in given.items() if value is not None}
    return {
        "backtest": study.name,
        "study": digest(study.to_json()),
        "card": card,
        "method": method,
        "by": by,
        "random_seed": seed,
        "held out": digest(asked),
        **used,
    }


def keep_result(work: Work, number: int, result: tuple[Any, ...]) -> None:
    """Keep the result of a task.

    Parameters
    ----------
    work : Work
        The work folder.
    number : int
        Number of the task.
    result : tuple of DataFrame or dict
        The dicts hold numbers and text by name.

    Raises
    ------
    WriteError
        If it cannot be written.
    """
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as parts:
        for place, part in enumerate(result):
            if isinstance(part, pd.DataFrame):
                parts.writestr(f"{place}.arrow", _arrow(part))
            else:
                parts.writestr(f"{place}.json", json.dumps(part, default=_plain))
    work.write(_name(number), out.getvalue())


def kept_result(work: Work | None, number: int) -> tuple[Any, ...] | None:
    """Kept result of a task.

    Parameters
    ----------
    work : Work or None
        The work folder.
    number : int
        Number of the task.

    Returns
    -------
    tuple of DataFrame or dict, or None
        As given to `keep_result`; None if it is not there or damaged.
    """
    stored = None if work is None else work.read(_name(number))
    if stored is None:
        return None
    try:
        with zipfile.ZipFile(io.BytesIO(stored)) as parts:
            return tuple(
                pa.ipc.open_stream(parts.read(name)).read_pandas()
                if name.endswith(".arrow")
                else json.loads(parts.read(name))
                for name in parts.namelist()
            )
    except _UNREADABLE:
        return None


def _name(number: int) -> str:
    return f"task-{number:05d}"


def _arrow(frame: pd.DataFrame) -> bytes:
    """A table with its types and index."""
    table = pa.Table.from_pandas(frame)
    out = io.BytesIO()
    with pa.ipc.new_stream(out, table.schema) as stream:
        stream.write_table(table)
    return out.getvalue()


def _plain(value: Any) -> Any:
    """A NumPy number as one of Python."""
    return value.item()
