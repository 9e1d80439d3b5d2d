"""The example studies are valid and match their README."""

from importlib.resources import files

import numpy as np
import pytest

from bayescpt.data import example_studies, load_example, published_fits
from bayescpt.errors import StudyError


def test_names():
    assert example_studies()[:3] == ("cpt_micro", "mpl_100m", "mpl_25m")
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
        assert (name if not name.startswith("fleet_") else "fleet_TARGET_SIZE") in text


FLEET = [name for name in example_studies() if name.startswith("fleet_")]


@pytest.fixture(scope="module")
def fleet():
    return {name: load_example(name) for name in FLEET}


def test_the_fleet_is_what_its_readme_says(fleet):
    """Every defect of a study is an error on reading; so is a length or a peak out of range."""
    assert len(fleet) == 24
    runs = [(study, study.run(name)) for study in fleet.values() for name in study.cpt_runs]
    assert len(runs) == 525
    assert {run.domain for _, run in runs} == {
        "code", "german", "spanish", "russian", "changelog", "math",
    }  # fmt: skip
    constant = {float(run.replay_ratio) for _, run in runs if np.ndim(run.replay_ratio) == 0}
    assert {0.0, 0.02, 0.05, 0.1, 0.25, 0.5, 0.75} <= constant
    assert sum(np.ndim(run.replay_ratio) > 0 for _, run in runs) >= 40  # curricula
    lengths = [run.steps for _, run in runs]
    assert (min(lengths), max(lengths)) == (250, 3900)
    over = [run.schedule.peak_lr / study.run(run.parent).schedule.peak_lr for study, run in runs]
    assert min(over) == pytest.approx(1 / 8, rel=0.2)
    assert max(over) == pytest.approx(2.0, rel=0.01)


def test_what_is_test_is_test_in_the_whole_fleet(fleet):
    repeats = 0
    for name, study in fleet.items():
        split = study.runs.set_index("run")["split"]
        assert set(split) <= {"fit", "choose", "test"}
        if "spanish" in name or "russian" in name or name.endswith("4m"):
            assert set(split) == {"test"}
        else:
            assert split[list(study.cpt_runs)].value_counts().min() >= 4
        kinds = study.runs["kind"].value_counts()
        repeats += kinds.get("repeat", 0)
        # A run starts where its base ended.
        for run in study.cpt_runs:
            parent = study.run(run).parent
            end = study.curve(parent, "general")["loss"].iloc[-1]
            assert study.start_loss(run, "general") == pytest.approx(end, abs=1e-6)
            first = study.curve(run, "general").iloc[0]
            assert (first["step"], first["loss"]) == (0, pytest.approx(end, abs=2e-5))
    assert repeats >= 12


def test_the_fleet_is_small():
    folder = files("bayescpt.data").joinpath("examples", "fleet")
    sizes = [file.stat().st_size for study in folder.iterdir() for file in study.iterdir()]
    assert sum(sizes) < 3e6
