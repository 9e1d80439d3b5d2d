"""Losses in the unit that a figure shows them in."""

from __future__ import annotations

import pandas as pd
import xarray as xr

from bayescpt.data.conversion import LossUnits
from bayescpt.decide.draws import ForecastLike, units_attrs


def forecast_unit(fc: ForecastLike | xr.Dataset) -> str | None:
    """Unit in which the losses of a forecast are shown.

    Parameters
    ----------
    fc : ForecastLike or xarray.Dataset
        Forecast, or its dataset.

    Returns
    -------
    str or None
        That of the user, such as "bit/byte"; None if the forecast has none.
    """
    attrs = units_attrs(fc)
    return None if attrs["units"] is None else LossUnits.of(attrs).shown


def shown_draws(values: xr.DataArray, units: LossUnits) -> xr.DataArray:
    """Draws of the loss in the unit of the user.

    Parameters
    ----------
    values : xarray.DataArray
        Losses as they are held, with a dim ``domain``.
    units : LossUnits
        Units.

    Returns
    -------
    xarray.DataArray
        Of the same shape; the same array where the units are equal.
    """
    if units.shown == units.held:
        return values
    out = values.copy()
    for domain in values["domain"].values:
        out.loc[{"domain": domain}] = units.show(values.sel(domain=domain), str(domain))
    return out


def shown_curves(frame: pd.DataFrame, units: LossUnits) -> pd.DataFrame:
    """Measured losses in the unit of the user.

    Parameters
    ----------
    frame : pandas.DataFrame
        Columns ``domain`` and ``loss``, as they are held.
    units : LossUnits
        Units.

    Returns
    -------
    pandas.DataFrame
        The same rows.
    """
    if units.shown == units.held or frame.empty:
        return frame
    parts = [
        part.assign(loss=units.show(part["loss"], str(domain)))
        for domain, part in frame.groupby("domain", sort=False)
    ]
    return pd.concat(parts).loc[frame.index]
