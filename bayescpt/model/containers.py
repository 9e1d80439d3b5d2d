"""Arrays of a study under the names and dimensions that the PyMC model holds them by."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayescpt.model.card import Card
from bayescpt.model.rows import Rows


def arrays(rows: Rows, card: Card) -> list[tuple[str, Any, tuple[str, ...]]]:
    """Data containers of the model: name, value, dimensions.

    Parameters
    ----------
    rows : Rows
        Arrays of the study.
    card : Card
        Decides which are needed.

    Returns
    -------
    list of (str, ndarray, tuple of str)
    """
    out: list[tuple[str, Any, tuple[str, ...]]] = [
        (f"segment_{key}", value, ("segment",)) for key, value in rows.segment.items()
    ]
    out += [(f"row_{key}", value, ("obs",)) for key, value in rows.row.items()]
    out.append(("anneal", rows.anneal, ("column", "place")))
    out.append(("anneal_mix", rows.anneal_mix, ("column", "node")))
    out.append(("observed", rows.loss, ("obs",)))
    for name in ("area", "shift_area", "peak_lr", "anneal_steps"):
        out.append((f"ref_{name}", np.float64(getattr(rows.refs, name)), ()))
    if card.has_shift:
        dims: dict[str, tuple[str, ...]] = {"loss": ("level",), "sd": ("level",)}
        if card.parameterisation == "paper":
            dims |= {"log_area": ("checkpoint",), "anneal": ("checkpoint", "node")}
        out += [(f"start_{key}", rows.start[key], names) for key, names in dims.items()]
    return out
