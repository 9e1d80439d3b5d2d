"""What matters of a fit of final losses, in a few lines."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import numpy as np

from bayescpt.cli.layout import Column, table_lines
from bayescpt.cli.output import fixed, screen_width

if TYPE_CHECKING:
    from bayescpt.inference import Fit


def show_sets(fitted: Fit) -> None:
    """Print the spread of the fitted losses and the noise, by validation set.

    Parameters
    ----------
    fitted : Fit
        A fit of final losses.
    """
    rows: Any = fitted.rows
    sets = rows.labels.set
    losses = [rows.loss[rows.set_index == k] for k in range(len(sets))]
    noise = fitted.posterior["sigma"].median(("chain", "draw")).to_numpy()
    columns = [
        Column("final losses, nats", sets),
        Column("runs", tuple(str(one.size) for one in losses), True),
        Column("lowest", tuple(fixed(float(one.min())) for one in losses), True),
        Column("highest", tuple(fixed(float(one.max())) for one in losses), True),
        Column("noise sd", tuple(fixed(float(sd), 4) for sd in np.atleast_1d(noise)), True),
    ]
    sys.stdout.write("".join(f"{line}\n" for line in table_lines(columns, screen_width())))
