"""Fit files: one netCDF file with text and draws, and the digest of it all at its end.

HDF5 ignores what stands behind its own content. It can hang or end the process on damaged content,
so the digest is verified before HDF5 sees any of it; files of older formats, which have none, are
read by a process with a time limit first.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import xarray as xr

from bayescpt.errors import FitError
from bayescpt.files import write_bytes
from bayescpt.inference import netcdf
from bayescpt.inference.netcdf import read_content
from bayescpt.inference.sealed import has_seal, seal, unseal

FORMAT = 6
# The first format whose files end in a digest.
_SEALED = 6
_MARK = b"\nbayescpt fit, SHA-256: "
_NO_DIGEST = "it has lost the digest at its end"
_HDF5 = b"\x89HDF\r\n\x1a\n"
# How the text of a file of this format begins; it is not compressed.
_START = f'{{"format": {FORMAT}, '.encode()
# Seconds; the largest fits are read in a few.
_TIME_LIMIT = 60.0
# Required keys of the text.
_TEXT = ("card", "references", "study", "study_digest", "seed", "checks")
# Reference points that came later, as they were before: the shift was measured without replay; the
# others only say in which coordinates the model is sampled.
_POINTS_BEFORE = {"replay_seen": 0.0, "start_seen": 1.0, "anneal_end": 0.0}
# Entries of the card that came later.
_CARD_BEFORE = {"marginal_effects": False}
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
        content = seal_fit(bytes(view))
    return write_bytes(target, content)


def seal_fit(content: bytes) -> bytes:
    """Append to the content of a fit file its digest.

    Parameters
    ----------
    content : bytes
        The file, complete but for the digest.

    Returns
    -------
    bytes
    """
    return seal(content, _MARK)


def read_fit_file(source: Path) -> tuple[dict[str, Any], dict[str, xr.Dataset]]:
    """Read a fit.

    Parameters
    ----------
    source : Path
        The file.

    Returns
    -------
    text : dict
        As given to `write_fit_file`; older formats are migrated.
    groups : dict of str to Dataset
        ``posterior`` and ``sample_stats``, draws and sampler statistics; of an ensemble also those
        of its other fits.

    Raises
    ------
    FitError
        If there is no such file, it is not a fit, it was damaged or changed, or this version cannot
        read its format.
    """
    if source.is_dir():
        raise FitError(f"{source} is a folder; a fit is a file, as `bayescpt fit` writes it")
    if not source.is_file():
        raise FitError(f"no fit at {source}; create one with `bayescpt fit STUDY --out {source}`")
    try:
        content = source.read_bytes()
    except OSError as error:
        raise FitError(f"{source} cannot be read: {error}") from error
    sealed = has_seal(content, _MARK)
    _check_content(source, content, sealed)
    try:
        attribute, groups = read_content(content)
        text: dict[str, Any] = json.loads(attribute)
        if text["format"] >= _SEALED and not sealed:
            raise FitError(f"{_damaged(source)}: {_NO_DIGEST}")
        if text["format"] == 4:
            text, groups["posterior"] = _from_format_4(source, text, groups["posterior"])
        if text["format"] not in (5, FORMAT):
            raise FitError(
                f"{source} has format {text['format']}, written by bayescpt {text['bayescpt']}; "
                f"this version reads formats 4 to {FORMAT}: refit the study"
            )
        missing = [name for name in _TEXT if name not in text]
        missing += [name for name in ("posterior", "sample_stats") if name not in groups]
        if missing:
            raise FitError(f"{source} is not a bayescpt fit: it has no {', '.join(missing)}")
        text["references"] = {**_POINTS_BEFORE, **text["references"]}
        text["card"] = {**_CARD_BEFORE, **text["card"]}
    except FitError:
        raise
    except Exception as error:  # of whatever kind: h5py, zlib, json and xarray raise a dozen
        raise FitError(f"{source} is not a bayescpt fit: {error}") from error
    return text, groups


def _check_content(source: Path, content: bytes, sealed: bool) -> None:
    """Raise unless HDF5 can be given the content."""
    if sealed:
        try:
            unseal(content, _MARK)
        except ValueError as error:
            raise FitError(f"{_damaged(source)}: {error}") from error
    elif not content.startswith(_HDF5):
        raise FitError(f"{source} is not a bayescpt fit: it is not a netCDF file")
    elif _START in content:
        raise FitError(f"{_damaged(source)}: {_NO_DIGEST}")
    else:
        _try_decoding(source)


def _damaged(source: Path) -> str:
    return f"{source} was damaged or changed after it was written (restore it, or refit the study)"


def _try_decoding(source: Path) -> None:
    """Raise if a file without a digest makes HDF5 hang, or ends the process that reads it."""
    # The module by its path: the package would take longer to import than the file to read.
    code = (
        "import runpy, sys\n"
        "with open(sys.argv[2], 'rb') as file: content = file.read()\n"
        "runpy.run_path(sys.argv[1])['read_content'](content)\n"
    )
    command = [sys.executable, "-c", code, netcdf.__file__, str(source.resolve())]
    place = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    try:
        done = subprocess.run(  # noqa: S603 -- this interpreter, with fixed code
            command, env=place, capture_output=True, timeout=_TIME_LIMIT
        )
    except subprocess.TimeoutExpired as error:
        raise FitError(
            f"{source} was not read in {_TIME_LIMIT:g} s: the machine is busy (try again), or the "
            "file was damaged or changed after it was written"
        ) from error
    # An exception, exit code 1, is raised again where the content is used.
    if done.returncode not in (0, 1):
        raise FitError(f"{_damaged(source)}: reading it ended Python ({done.returncode})")


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
    new = {**text, "format": 5, "card": card.to_dict(), "references": known}
    renamed = {old: name for old, name in _RENAMED.items() if old in posterior}
    dims = {"misfit": "discrepancy"} if "misfit" in posterior.dims else {}
    return new, posterior.rename({**renamed, **dims})
