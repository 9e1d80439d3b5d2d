"""Reading a fit's groups gives what xarray reads."""

import h5py
import numpy as np
import pytest
import xarray as xr

from bayescpt.inference.netcdf import read_group


@pytest.mark.parametrize("labelled", [True, False])
def test_it_is_what_xarray_reads(tmp_path, labelled):
    path = tmp_path / "group.nc"
    data = xr.Dataset(
        {
            "mu": (("chain", "draw", "domain"), np.arange(12.0).reshape(2, 3, 2)),
            "gap": (("chain", "draw"), np.full((2, 3), np.nan)),
            "flag": (("chain", "draw"), np.eye(2, 3, dtype=bool)),
            "count": (("chain",), np.array([1, 2], dtype=np.uint64)),
            "scalar": ((), 3.5),
        },
        coords={"chain": [0, 1], "domain": ["general", "größer"]} if labelled else {},
        attrs={"made": "here", "size": 3, "names": ["a", "b"]},
    )
    data["mu"].attrs = {"units": "nat", "sampled": 1}
    packed = {str(name): {"zlib": True} for name in ("mu", "gap", "flag", "count")}
    tree = xr.DataTree.from_dict({"/posterior": data})
    tree.to_netcdf(path, engine="h5netcdf", encoding={"/posterior": packed})
    with h5py.File(path) as file:
        read = read_group(file["posterior"])
    with xr.open_datatree(path, engine="h5netcdf") as tree:
        expected = tree["posterior"].to_dataset().load()
    xr.testing.assert_identical(read, expected)
    assert list(read.data_vars) == list(expected.data_vars)
    for name, variable in expected.variables.items():
        assert read[name].dtype == variable.dtype
