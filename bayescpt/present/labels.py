"""Units of what a figure shows."""

from __future__ import annotations

import xarray as xr

from bayescpt.decide.draws import ForecastLike


def forecast_unit(fc: ForecastLike | xr.Dataset) -> str | None:
    """Unit of the losses of a forecast.

    Parameters
    ----------
    fc : ForecastLike or xarray.Dataset
        Forecast, or its dataset.

    Returns
    -------
    str or None
        The attribute ``units`` of the dataset, such as "nat/token"; None if it has none.
    """
    dataset = fc if isinstance(fc, xr.Dataset) else fc.dataset
    unit = dataset.attrs.get("units")
    return None if unit is None else str(unit)
