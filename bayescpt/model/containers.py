"""Arrays of a study, with their names and dimensions in the PyMC model."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayescpt.model.card import Card
from bayescpt.model.population import pair_arrays
from bayescpt.model.rows import Rows
from bayescpt.model.starts import start_shares


def arrays(rows: Rows, card: Card) -> list[tuple[str, Any, tuple[str, ...]]]:
    """Data containers of the model: name, value, dimensions.

    Parameters
    ----------
    rows : Rows
        Arrays of the study.
    card : Card
        Card, which determines the arrays needed.

    Returns
    -------
    list of (str, ndarray, tuple of str)
    """
    out: list[tuple[str, Any, tuple[str, ...]]] = [
        (f"segment_{key}", value, ("segment",)) for key, value in rows.segment.items()
    ]
    out += [(f"row_{key}", value, ("obs",)) for key, value in rows.row.items()]
    for key, columns in rows.basis.items():
        out.append((f"basis_{key}", columns, (f"{key}_column", "place")))
        out.append((f"mix_{key}", rows.mix[key], (f"{key}_column", f"{key}_node")))
    out.append(("observed", rows.loss, ("obs",)))
    if card.marginal_effects:
        curve = np.asarray(rows.segment["curve"])[rows.row["segment"]]
        starts = np.flatnonzero(np.diff(curve, prepend=-1))
        out.append(("curve_first", starts, ("curve",)))
        out.append(("curve_domain", np.asarray(rows.row["domain"])[starts], ("curve",)))
        out.append(("effects", rows.effects, ("effect", "obs")))
    out += [(f"ref_{key}", np.float64(value), ()) for key, value in rows.refs.points.items()]
    if card.continual:
        domains = np.array(rows.labels.pair_domain, dtype=np.int64)
        out.append(("pair_domain", domains, ("pair",)))
        if card.law.pooled:
            pairs = pair_arrays(rows.labels, rows.covariate)
            out += [(f"pair_{key}", value, ("pair",)) for key, value in pairs.items()]
        out += [(f"start_{key}", rows.start[key], ("level",)) for key in ("loss", "sd")]
        shares = start_shares(rows.segment, len(rows.labels.level_names))
        out.append(("start_share", shares, ("level", "peer")))
        for key, value in rows.start.items():
            if key.startswith("feature_"):
                node = f"{key.removeprefix('feature_')}_node"
                out.append((f"start_{key}", value, ("checkpoint", node)[: value.ndim]))
    return out
