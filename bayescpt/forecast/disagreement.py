"""Where the forecasts of several fits of one study disagree."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr

from bayescpt.forecast.forecast import Forecast

# Fits with a smaller weight are not asked.
LEAST_WEIGHT = 0.1
# Medians further apart than this share of the width of the fits' own 90% bands disagree.
APART = 0.5


def disagreements(parts: Mapping[str, Forecast | None], weights: Mapping[str, float]) -> list[str]:
    """Sentences on the plans at whose ends the medians of fits are far apart for their bands.

    Parameters
    ----------
    parts : mapping of str to Forecast or None
        Forecasts of the same plans at the same steps by label.
    weights : mapping of str to float
        Weights of the fits.

    Returns
    -------
    list of str
        At most one a domain, with the plan on which they disagree most.
    """
    asked = {
        label: _last(part.interval(0.9))
        for label, part in parts.items()
        if part is not None and weights[label] >= LEAST_WEIGHT
    }
    if len(asked) < 2:
        return []
    # Domains that all of them have.
    bands = xr.concat(asked.values(), xr.Variable("card", list(asked)), join="inner")
    gap = bands["median"].max("card") - bands["median"].min("card")
    width = (bands["upper"] - bands["lower"]).mean("card")
    ratio = (gap / width).where(width > 0)
    out = []
    for domain in bands["domain"].to_numpy():
        own = ratio.sel(domain=domain)
        count = int((own > APART).sum())
        if not count:
            continue
        worst = own["plan"].to_numpy()[int(np.nanargmax(own))]
        at = {"plan": worst, "domain": domain}
        medians = bands["median"].sel(at).to_numpy()
        low, high = int(np.argmin(medians)), int(np.argmax(medians))
        names = list(asked)
        out.append(
            f"{domain}: the cards disagree on the ends of {count} of {own.size} plans, most on "
            f"{str(worst)!r}: {medians[low]:.3f} ({names[low]}) to "
            f"{medians[high]:.3f} ({names[high]}) nats, where their own 90% bands are "
            f"{float(width.sel(at)):.3f} wide"
        )
    return out


def _last(band: xr.Dataset) -> xr.Dataset:
    """Band at the last forecast step of each plan."""
    known = band["median"].notnull()
    last = (known * np.arange(1, band.sizes["step"] + 1)).argmax("step")
    return band.isel(step=last).drop_vars("step")
