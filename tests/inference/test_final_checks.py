"""Checks of fits of final losses whose parameters have two dimensions: bases, sources."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import bayescpt as bc
from bayescpt.inference.checks import labelled_values
from bayescpt.inference.load_fit import load_fit
from tests.faults.formats import final_fit


def ladder(**columns):
    """Two bases of other sizes, each continued at three replay ratios."""
    bases = [(f"base{k}", "pt", None, None, np.nan, size) for k, size in enumerate((4e8, 1e9))]
    rows = [
        (f"r{k}_{ratio}", "cpt", f"base{k}", "de", ratio, size)
        for k, size in enumerate((4e8, 1e9))
        for ratio in (0.05, 0.25, 0.5)
    ]
    names = ["run", "phase", "parent", "domain", "replay_ratio", "n_params"]
    runs = pd.DataFrame([*bases, *rows], columns=names).assign(tokens=1e10, **columns)
    rng = np.random.default_rng(1)
    losses = pd.concat(
        pd.DataFrame({"run": [row[0] for row in rows], "domain": domain, "loss": level})
        for domain, level in (("general", 2.5), ("de", 1.5))
    )
    losses["loss"] += 0.05 * rng.standard_normal(len(losses))
    return bc.Study.from_frames(losses, runs)


def mixture():
    """Runs known by their mixture of three sources."""
    rng = np.random.default_rng(1)
    shares = rng.dirichlet((2.0, 2.0, 2.0), 12)
    columns = [f"share_{name}" for name in ("web", "code", "de")]
    runs = pd.DataFrame(shares, columns=columns).assign(run=[f"r{k}" for k in range(12)])
    curves = pd.concat(
        pd.DataFrame({"run": runs["run"], "domain": d, "loss": 3.0 - shares[:, k]})
        for k, d in enumerate(("web", "code", "de"))
    )
    return bc.Study.from_frames(curves, runs)


@pytest.mark.parametrize(
    ("study", "card", "dims"),
    [(ladder, "dcpt", ("base", "set")), (mixture, "mixing", ("set", "source"))],
    ids=["bases", "sources"],
)
def test_a_fit_with_parameters_of_two_dimensions_is_checked_shown_and_saved(
    study, card, dims, tmp_path
):
    fit = final_fit(study(), card)
    assert any(values.dims[2:] == dims for values in fit.posterior.data_vars.values())
    checks = {check.name: check for check in fit.checks()}
    assert {"R-hat", "bulk ESS", "contraction", "misfit"} <= checks.keys()
    assert len(fit.summary()) > 0
    loaded = load_fit(fit.save(tmp_path / "fit.nc"))
    # R-hat of a single chain is NaN, which equals nothing.
    assert [check.to_dict() | {"value": 0} for check in loaded.checks()] == [
        check.to_dict() | {"value": 0} for check in fit.checks()
    ]


def test_the_worst_entry_is_named_by_all_its_labels():
    values = xr.DataArray(
        [[0.0, 1.0], [2.0, 3.0]], {"set": ["a", "b"], "source": ["x", "y"]}, ("set", "source")
    )
    assert list(labelled_values("p", values))[1:3] == [(1.0, "p[a, y]", "a"), (2.0, "p[b, x]", "b")]
    assert list(labelled_values("p", values[0, 1].drop_vars(["set", "source"]))) == [(1.0, "p", "")]
