"""The example studies are valid and match their README."""

from importlib.resources import files

import numpy as np
import pytest

from bayescpt.data import example_studies, load_example, published_fits
from bayescpt.errors import StudyError


def test_names():
    assert example_studies() == ("cpt_micro", "mpl_100m", "mpl_25m")
    with pytest.raises(StudyError, match=r"no example study 'micro'; there are cpt_micro, mpl"):
        load_example("micro")


def test_cpt_micro():
    study = load_example("cpt_micro")
    assert len(study.cpt_runs) == 13
    assert study.domains == ("general", "german", "code")
    assert len(study.curves) == 1906
    run = study.run("de_r25_wsd_lp0.1")
    assert study.lineage(run.name) == ("pt_r0.1", "de_r25_wsd_lp0.1")
    assert run.schedule.peak_lr == pytest.approx(2e-3)
    assert study.run("pt_r0.1").schedule.final_lr == pytest.approx(2e-4)
    assert {study.trunk_step(name) for name in ("pt_r0", "pt_r0.1", "pt_r0.5")} == {2500}
    # Step 0 of a run is the end of its parent.
    for domain in study.domains:
        end = study.curve("pt_r0", domain)["loss"].iloc[-1]
        assert study.start_loss("de_r0_wsd", domain) == end


@pytest.mark.parametrize(("name", "rows"), [("mpl_25m", 2059), ("mpl_100m", 2103)])
def test_mpl(name, rows):
    study = load_example(name)
    assert (len(study.pt_runs), study.cpt_runs, study.general) == (9, (), "train")
    assert len(study.curves) == rows
    assert study.trunk_step("wsd_20000_24000") == 20_000
    assert study.trunk_step("wsdcon_9") == 7_999


def test_branches_share_their_rows_at_100m_but_not_at_25m():
    for name, shared in (("mpl_100m", True), ("mpl_25m", False)):
        study = load_example(name)
        branch, trunk = (study.curve(run, "train") for run in ("wsdcon_9", "constant_24000"))
        both = branch.merge(trunk, on="step").query("step <= 7999")
        assert np.array_equal(both["loss_x"], both["loss_y"]) is shared


def test_published_fits():
    fits = published_fits()
    assert len(fits) == 18
    assert fits.loc["f3_pt", ["L0", "A", "alpha"]].tolist() == [3.057, 0.490, 0.497]
    assert fits.loc["f11_cpt", "B_signed"] == -1.409


def test_sources_and_licence_are_shipped():
    text = files("bayescpt.data").joinpath("examples/README.md").read_text(encoding="utf-8")
    assert "Copyright (c) 2025 Kairong Luo" in text
    assert "THE SOFTWARE IS PROVIDED" in text
    for name in example_studies():
        assert name in text
