"""Fit files: one netCDF file with text and draws."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import xarray as xr

from bayescpt.errors import FitError
from bayescpt.files import write_bytes
from bayescpt.inference.netcdf import read_group

FORMAT = 5
# Required keys of the text.
_TEXT = ("card", "references", "study", "study_digest", "seed", "checks")
# Reference points that came later, as they were before: the shift was measured without replay; the
# others only say in which coordinates the model is sampled.
_POINTS_BEFORE = {"replay_seen": 0.0, "start_seen": 1.0, "anneal_end": 0.0}
# Names of the discrepancies in format 4.
_RENAMED = {"misfit_near": "discrepancy_near", "misfit_far": "discrepancy_far"}


def write_fit_file(target: Path, text: Mapping[str, Any], groups: Mapping[str, xr.Dataset]) -> Path:
    """Write a fit atomically.

    Parameters
    ----------
    target : Path
        File to write; replaced if it exists.
    text : Mapping
        Plain values.
    groups : Mapping of str to Dataset
        Draws and sampler statistics.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    WriteError
        If the file cannot be written.
    """
    tree = xr.DataTree.from_dict({f"/{name}": group for name, group in groups.items()})
    head = {"format": FORMAT, "bayescpt": version("bayescpt"), **text}
    tree.attrs["bayescpt"] = json.dumps(head)
    packed = {
        f"/{name}": {str(v): {"zlib": True, "complevel": 1} for v in node.data_vars}
        for name, node in tree.children.items()
    }
    # In memory first: where the disk is full, HDF5 would crash the process at its end.
    with tree.to_netcdf(None, engine="h5netcdf", encoding=packed) as view:
        content = bytes(view)
    return write_bytes(target, content)


def read_fit_file(source: Path) -> tuple[dict[str, Any], xr.Dataset, xr.Dataset]:
    """Read a fit.

    Parameters
    ----------
    source : Path
        The file.

    Returns
    -------
    text : dict
        As given to `write_fit_file`; older formats are migrated.
    posterior, sample_stats : Dataset
        Draws and sampler statistics.

    Raises
    ------
    FitError
        If there is no such file, it is not a fit, or this version cannot read its format.
    """
    if not source.is_file():
        raise FitError(f"no fit at {source}; create one with `bayescpt fit STUDY --out {source}`")
    from h5py import File

    try:
        with File(source) as file:
            text: dict[str, Any] = json.loads(file.attrs["bayescpt"])
            posterior, stats = (read_group(file[name]) for name in ("posterior", "sample_stats"))
        if text["format"] == 4:
            text, posterior = _from_format_4(source, text, posterior)
        if text["format"] != FORMAT:
            raise FitError(
                f"{source} has format {text['format']}, written by bayescpt {text['bayescpt']}; "
                f"this version reads formats 4 and {FORMAT}: refit the study"
            )
        missing = [name for name in _TEXT if name not in text]
        if missing:
            raise FitError(f"{source} is not a bayescpt fit: it has no {', '.join(missing)}")
        text["references"] = {**_POINTS_BEFORE, **text["references"]}
    except (AttributeError, IndexError, KeyError, OSError, TypeError, ValueError) as error:
        if isinstance(error, FitError):
            raise
        raise FitError(f"{source} is not a bayescpt fit: {error}") from error
    return text, posterior, stats


def _from_format_4(
    source: Path, text: dict[str, Any], posterior: xr.Dataset
) -> tuple[dict[str, Any], xr.Dataset]:
    """Migrate format 4, which stored the card as TOML text, without the default priors.

    The defaults of that version are those of this one; a version that changes a default must supply
    those of format 4 here. Reference points are recomputed by the same rules, but for later ones.
    """
    from bayescpt.data import Study
    from bayescpt.model.card_file import parse_card
    from bayescpt.model.rows import card_references

    if "checks" not in text:
        raise FitError(f"{source} is of format 4 and has no checks: refit the study")
    if not text["card"]:
        raise FitError(f"{source} is of format 4 and has no card text: refit the study")
    card = parse_card(text["card"], f"card {text['card_name']!r}")
    points = card_references(Study.from_json(text["study"]), card).points
    known = {name: value for name, value in points.items() if name not in _POINTS_BEFORE}
    new = {**text, "format": FORMAT, "card": card.to_dict(), "references": known}
    renamed = {old: name for old, name in _RENAMED.items() if old in posterior}
    dims = {"misfit": "discrepancy"} if "misfit" in posterior.dims else {}
    return new, posterior.rename({**renamed, **dims})
