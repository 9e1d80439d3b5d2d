"""Files of ensembles: a fit file with a pair of groups for each fit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import xarray as xr

from bayescpt.inference.fit_file import write_fit_file

if TYPE_CHECKING:
    from bayescpt.inference.fit import Fit

GROUPS = ("posterior", "sample_stats")


def write_ensemble(
    target: Path,
    fits: Mapping[str, Fit],
    weights: Mapping[str, float],
    seed: int,
    told: Sequence[str],
) -> Path:
    """Write an ensemble atomically.

    Parameters
    ----------
    target : Path
        File to write; replaced if it exists.
    fits : mapping of str to Fit
        Fits of one study by label.
    weights : mapping of str to float
        Their weights.
    seed : int
        Seed of the places of draws.
    told : sequence of str
        Notes.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    WriteError
        If the file cannot be written.
    """
    first = next(iter(fits.values()))
    # The study stands in the file once.
    own = [
        {"label": label, "weight": weights[label], **fit.stored_text()}
        for label, fit in fits.items()
    ]
    text = {
        "card": {"ensemble": own, "told": list(told)},
        "references": {},
        "study": first.study.to_json(),
        "study_digest": first.study.digest,
        "seed": seed,
        "checks": [],
    }
    groups = {
        name: group
        for k, fit in enumerate(fits.values())
        for name, group in zip(_names(k), (fit.posterior, fit.sample_stats), strict=True)
    }
    return write_fit_file(target, text, groups)


def stored_fits(
    text: Mapping[str, Any], groups: Mapping[str, xr.Dataset]
) -> Iterator[tuple[str, dict[str, Any], xr.Dataset, xr.Dataset]]:
    """Content of the fits of an ensemble, each as of a file of its own.

    Parameters
    ----------
    text : mapping
        Text of the file.
    groups : mapping of str to Dataset
        Groups of the file.

    Yields
    ------
    label : str
        Label of the fit.
    text : dict
        Its text.
    posterior, sample_stats : Dataset
        Its draws and sampler statistics.

    Raises
    ------
    KeyError
        If something is missing.
    """
    for k, one in enumerate(text["card"]["ensemble"]):
        draws, stats = (groups[name] for name in _names(k))
        yield str(one["label"]), {**text, **one}, draws, stats


def _names(member: int) -> tuple[str, str]:
    """Groups of a fit; those of the first are those of a file of one fit."""
    draws, stats = (f"{name}_{member}" if member else name for name in GROUPS)
    return draws, stats
