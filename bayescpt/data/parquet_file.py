"""Parquet files, whose checksums and text are verified before anything is done with them."""

from __future__ import annotations

from pathlib import Path

import pandas as pd


def read_parquet(path: Path) -> pd.DataFrame:
    """Read a table from a Parquet file.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    DataFrame

    Raises
    ------
    Exception
        Of any kind that pyarrow has, if the file is no Parquet or was damaged.
    """
    frame = pd.read_parquet(path, engine="pyarrow", page_checksum_verification=True)
    for _, column in frame.items():
        if column.dtype.kind not in "biuf":
            # Text is kept as bytes: what is no UTF-8 would fail where it is first compared.
            column.to_numpy(object)
    return frame
