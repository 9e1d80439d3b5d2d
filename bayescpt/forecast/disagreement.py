"""Where the forecasts of several fits of one study disagree."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from bayescpt.forecast.forecast import Forecast

# Fits with a smaller weight are not asked.
LEAST_WEIGHT = 0.1
# Medians further apart than this share of the width of the fits' own 90% bands disagree.
APART = 0.5


def disagreements(parts: Mapping[str, Forecast | None], weights: Mapping[str, float]) -> list[str]:
    """Sentences on plans at whose ends the medians of fits are far apart for their bands.

    Parameters
    ----------
    parts : mapping of str to Forecast or None
        Forecasts of the same plans at the same steps by label.
    weights : mapping of str to float
        Weights of the fits.

    Returns
    -------
    list of str
        One a plan and domain.
    """
    asked = {
        label: part.interval(0.9)
        for label, part in parts.items()
        if part is not None and weights[label] >= LEAST_WEIGHT
    }
    if len(asked) < 2:
        return []
    first = next(iter(asked.values()))
    out = []
    for plan in first["plan"].to_numpy():
        for domain in first["domain"].to_numpy():
            if any(domain not in band["domain"] for band in asked.values()):
                continue
            bands = {label: band.sel(plan=plan, domain=domain) for label, band in asked.items()}
            known = np.all([np.isfinite(band["median"]) for band in bands.values()], axis=0)
            if not known.any():
                continue
            last = int(np.flatnonzero(known)[-1])
            ends = {label: band.isel(step=last) for label, band in bands.items()}
            medians = {label: float(band["median"]) for label, band in ends.items()}
            width = float(np.mean([band["upper"] - band["lower"] for band in ends.values()]))
            low, high = min(medians, key=medians.__getitem__), max(medians, key=medians.__getitem__)
            if medians[high] - medians[low] > APART * width:
                out.append(
                    f"plan {str(plan)!r}, {domain}: the cards disagree at step "
                    f"{int(first['step'][last])}: {medians[low]:.3f} ({low}) to "
                    f"{medians[high]:.3f} ({high}) nats, where their own 90% bands are "
                    f"{width:.3f} wide"
                )
    return out
