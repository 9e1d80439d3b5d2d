"""Groups of a fit file, read directly from HDF5.

xarray reads the same datasets, but looks up the sizes of all dimensions for every variable: a third
of a second per fit, ten times as long as the reading itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

if TYPE_CHECKING:
    import h5py

# How netCDF-4 marks a dimension without a coordinate.
_NO_VARIABLE = b"This is a netCDF dimension but not a netCDF variable"
# Attributes of the file format, not of the variable.
_FORMAT = {"CLASS", "NAME", "DIMENSION_LIST", "REFERENCE_LIST", "_FillValue", "dtype"}


def read_content(content: bytes) -> tuple[str, dict[str, xr.Dataset]]:
    """Read the content of a fit file.

    Parameters
    ----------
    content : bytes
        All of the file; bytes behind HDF5's own content are ignored.

    Returns
    -------
    text : str
        The attribute ``bayescpt``.
    groups : dict of str to Dataset
        The groups, in memory.

    Raises
    ------
    Exception
        Of any kind if the content is damaged; HDF5 may also hang, or end the process.
    """
    from h5py import File, h5f

    with File(h5f.open_file_image(content)) as file:
        return file.attrs["bayescpt"], {name: read_group(group) for name, group in file.items()}


def read_group(group: h5py.Group) -> xr.Dataset:
    """Read a group written by xarray: numbers, booleans and labels, without scale or offset.

    Parameters
    ----------
    group : h5py.Group
        The group.

    Returns
    -------
    Dataset
        In memory.

    Raises
    ------
    KeyError, OSError, ValueError
        If the group is damaged.
    """
    variables = {
        name: _variable(name, stored)
        for name, stored in group.items()
        if not bytes(stored.attrs.get("NAME", b"")).startswith(_NO_VARIABLE)
    }
    coords = [name for name, variable in variables.items() if variable.dims == (name,)]
    return xr.Dataset(
        {name: variable for name, variable in variables.items() if name not in coords},
        coords={name: variables[name] for name in coords},
        attrs=_attributes(group),
    )


def _variable(name: str, stored: h5py.Dataset) -> xr.Variable:
    scale = stored.attrs.get("CLASS") == b"DIMENSION_SCALE"
    dims = [name] if scale else [_target(stored, links[0]) for links in _links(stored)]
    return xr.Variable(dims, _values(stored), _attributes(stored))


def _links(stored: h5py.Dataset) -> Any:
    """References to the scales of each dimension. `Dataset.dims` crashes where one is broken."""
    return stored.attrs["DIMENSION_LIST"] if stored.ndim else ()


def _target(stored: h5py.Dataset, link: Any) -> str:
    return str(stored.file[link].name.rpartition("/")[2])


def _values(stored: h5py.Dataset) -> np.ndarray:
    if stored.dtype.kind == "O":
        return np.asarray(stored.asstr()[()], dtype=str)
    values = np.asarray(stored[()])
    return values.astype(bool) if stored.attrs.get("dtype") == "bool" else values


def _attributes(stored: h5py.Group | h5py.Dataset) -> dict[str, Any]:
    return {
        # A number is stored as an array of length 1.
        key: value[0] if isinstance(value, np.ndarray) and value.shape == (1,) else value
        for key, value in stored.attrs.items()
        if key not in _FORMAT and not key.startswith("_Netcdf4")
    }
