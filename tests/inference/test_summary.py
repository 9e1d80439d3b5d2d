"""The table of a posterior."""

import numpy as np
import xarray as xr

from bayescpt.inference.summary import parameter_table
from bayescpt.model.card_file import load_card


def test_what_a_card_fixes_has_no_r_hat_and_warns_of_nothing():
    drawn = np.random.default_rng(1).standard_normal((2, 200))
    known = {
        "size_keep": (("chain", "draw"), drawn),
        "near": (("chain", "draw"), np.ones((2, 200))),
    }
    table = parameter_table(xr.Dataset(known), load_card("cpt_fade_sizes"), 0.9)
    assert np.isnan(table.loc["near", "r_hat"])
    assert table.loc["near", "sd"] == 0
    assert 0.95 < table.loc["size_keep", "r_hat"] < 1.05
