"""The file of a fit: one netCDF file, its text and its draws."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import xarray as xr

from bayescpt.errors import FitError
from bayescpt.inference.netcdf import read_group

FORMAT = 5
# What the text of a fit holds.
_TEXT = ("card", "references", "study", "study_digest", "seed", "checks")
# Names that format 4 had for what runs deviate by.
_RENAMED = {"misfit_near": "discrepancy_near", "misfit_far": "discrepancy_far"}


def write_fit_file(target: Path, text: Mapping[str, Any], groups: Mapping[str, xr.Dataset]) -> Path:
    """Write a fit, whole or not at all.

    Parameters
    ----------
    target : Path
        File to write; replaced if it exists.
    text : Mapping
        Plain values.
    groups : Mapping of str to Dataset
        Draws and the sampler's record.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    FitError
        If the file cannot be written.
    """
    tree = xr.DataTree.from_dict({f"/{name}": group for name, group in groups.items()})
    head = {"format": FORMAT, "bayescpt": version("bayescpt"), **text}
    tree.attrs["bayescpt"] = json.dumps(head)
    draft = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        packed = {
            f"/{name}": {str(v): {"zlib": True, "complevel": 1} for v in node.data_vars}
            for name, node in tree.children.items()
        }
        tree.to_netcdf(draft, engine="h5netcdf", encoding=packed)
        os.replace(draft, target)
    except OSError as error:
        raise FitError(f"cannot write the fit to {target}: {error}") from error
    finally:
        draft.unlink(missing_ok=True)
    return target


def read_fit_file(source: Path) -> tuple[dict[str, Any], xr.Dataset, xr.Dataset]:
    """Read a fit.

    Parameters
    ----------
    source : Path
        The file.

    Returns
    -------
    text : dict
        As given to `write_fit_file`; that of an older format is migrated.
    posterior, sample_stats : Dataset
        Draws and the sampler's record.

    Raises
    ------
    FitError
        If there is no such file, it is no fit, or of a format that this version cannot read.
    """
    if not source.is_file():
        raise FitError(f"no fit at {source}; `bayescpt fit STUDY --out {source}` makes one")
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
                f"this version reads formats 4 and {FORMAT}: fit the study again"
            )
        missing = [name for name in _TEXT if name not in text]
        if missing:
            raise FitError(f"{source} is no fit of bayescpt: it has no {', '.join(missing)}")
    except (AttributeError, IndexError, KeyError, OSError, TypeError, ValueError) as error:
        if isinstance(error, FitError):
            raise
        raise FitError(f"{source} is no fit of bayescpt: {error}") from error
    return text, posterior, stats


def _from_format_4(
    source: Path, text: dict[str, Any], posterior: xr.Dataset
) -> tuple[dict[str, Any], xr.Dataset]:
    """Format 4 held the card's TOML text, without the priors that were filled in.

    The defaults of that version are those of this one; a version that changes a default must give
    those of format 4 here. Its reference points are computed again, by the same rules.
    """
    from bayescpt.data import Study
    from bayescpt.model.card_file import parse_card
    from bayescpt.model.rows import card_references

    if "checks" not in text:
        raise FitError(f"{source} is of format 4, without its checks: fit the study again")
    if not text["card"]:
        raise FitError(f"{source} is of format 4, without its card's text: fit the study again")
    card = parse_card(text["card"], f"card {text['card_name']!r}")
    points = card_references(Study.from_json(text["study"]), card).points
    new = {**text, "format": FORMAT, "card": card.to_dict(), "references": dict(points)}
    renamed = {old: name for old, name in _RENAMED.items() if old in posterior}
    dims = {"misfit": "discrepancy"} if "misfit" in posterior.dims else {}
    return new, posterior.rename({**renamed, **dims})
