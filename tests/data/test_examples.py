"""The example studies are valid and match their README."""

from importlib.resources import files

import numpy as np
import pandas as pd
import pytest

from bayescpt.cli.check import check
from bayescpt.data import example_studies, load_example, published_fits
from bayescpt.data.units import UNIT_NAMES
from bayescpt.errors import StudyError
from tests.examples import shipped


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
        assert ("fleet_TARGET_SIZE" if name.startswith("fleet_") else name) in text


FLEET = [name for name in example_studies() if name.startswith("fleet_")]
TARGETS = {"code", "german", "spanish", "russian", "changelog", "math"}
SIZES = {"100k": 98_304, "330k": 331_776, "1200k": 1_228_800, "4m": 3_932_160}


@pytest.mark.parametrize("name", example_studies())
def test_every_example_passes_its_checks(name, capsys):
    """Every defect is an error on reading; what is implausible is a note of `bayescpt check`."""
    check(name)
    assert "no problems found" in capsys.readouterr().out


@pytest.fixture(scope="module")
def examples():
    """All of them, read once."""
    return {name: shipped(name) for name in example_studies()}


def test_shipped_studies_have_known_units_and_one_size(examples):
    for study in examples.values():
        assert study.loss_unit in UNIT_NAMES
        assert study.allow_mixed == ()


@pytest.fixture(scope="module")
def fleet(examples):
    return {name: examples[name] for name in FLEET}


@pytest.fixture(scope="module")
def fleet_runs(fleet):
    """Rows of runs.csv of all runs after pre-training, with their study."""
    tables = [study.runs.assign(study=name) for name, study in fleet.items()]
    table = pd.concat(tables, ignore_index=True)
    return table[table["phase"] == "cpt"]


def test_the_fleet_has_six_targets_at_four_sizes(fleet, fleet_runs):
    assert set(fleet) == {f"fleet_{target}_{size}" for target in TARGETS for size in SIZES}
    assert len(fleet_runs) == 525
    for name, study in fleet.items():
        _, target, size = name.split("_")
        assert study.general == "general"
        assert study.targets == (target,)
        assert len(study.domains) == 4
        assert set(study.runs["n_params"]) == {SIZES[size]}
        bases = [name.removeprefix("pt").partition("_r") for name in study.pt_runs]
        assert {budget for budget, _, _ in bases} == {"3k", "8k"}
        assert {float(end) for _, _, end in bases} == {0.0, 0.1, 0.5, 1.0}


def test_the_fleet_spreads_over_recipes(fleet, fleet_runs):
    runs = [(study, study.run(name)) for study in fleet.values() for name in study.cpt_runs]
    constant = {float(run.replay_ratio) for _, run in runs if np.ndim(run.replay_ratio) == 0}
    assert {0.0, 0.02, 0.05, 0.1, 0.25, 0.5, 0.75} <= constant
    assert sum(np.ndim(run.replay_ratio) > 0 for _, run in runs) >= 40  # curricula
    lengths = [run.steps for _, run in runs]
    assert (min(lengths), max(lengths)) == (250, 3900)
    over = [run.schedule.peak_lr / study.run(run.parent).schedule.peak_lr for study, run in runs]
    assert min(over) == pytest.approx(1 / 8, rel=0.2)
    assert max(over) == pytest.approx(2.0, rel=0.01)
    families = {"constant", "constant_with_warmup", "linear", "cosine", "warmup_stable_decay"}
    assert families | {"inverse_sqrt", "infinite"} <= set(fleet_runs["schedule"])
    # Schedules that have no name are told by that of the run.
    assert all(
        fleet_runs["run"].str.endswith(kind).sum() >= 10 for kind in ("piecewise", "stepped")
    )
    decays = fleet_runs["schedule_params"].str.extract(r"decay_type=([\w-]+)")[0]
    assert {"linear", "cosine", "1-sqrt", "exponential", "geometric"} <= set(decays)
    assert set(fleet_runs["kind"]) == {"core", "random", "mistake", "repeat"}


def test_the_fleet_repeats_recipes(fleet_runs):
    repeats = fleet_runs[fleet_runs["kind"] == "repeat"]
    stems = repeats.assign(run=repeats["run"].str.replace(r"_s\d+$", "", regex=True))
    recipes = stems.groupby(["study", "run"]).size()
    assert len(recipes) == 10
    assert recipes.min() >= 2
    # All seeds of a recipe, the first among them, are in one part of the split.
    first = fleet_runs.set_index(["study", "run"])["split"]
    assert all(row.split == first[row.study, row.run] for row in stems.itertuples())


def test_what_is_test_is_test_in_the_whole_fleet(fleet):
    for name, study in fleet.items():
        split = study.runs.set_index("run")["split"]
        if "spanish" in name or "russian" in name or name.endswith("4m"):
            assert set(split) == {"test"}
        else:
            assert set(split) == {"fit", "choose", "test"}
            assert split[list(study.cpt_runs)].value_counts().min() >= 4


def test_runs_are_whole_and_start_where_their_base_ended(fleet, variants):
    for study in (*fleet.values(), *variants.values()):
        curves = study.curves.groupby(["run", "domain"])
        first, last = curves.first(), curves.last()
        for name in study.cpt_runs:
            run = study.run(name)
            assert set(first.loc[name, "step"]) == {0}
            assert set(last.loc[name, "step"]) == {run.steps}
            starts, ends = first.loc[name, "loss"], last.loc[run.parent, "loss"]
            assert len(starts) == len(study.domains)
            # Losses are rounded to five places.
            assert starts.to_numpy() == pytest.approx(ends[starts.index].to_numpy(), abs=2e-5)


def test_the_readme_counts_the_split(fleet_runs):
    text = files("bayescpt.data").joinpath("examples/README.md").read_text(encoding="utf-8")
    for split, count in fleet_runs["split"].value_counts().items():
        assert f"`{split}` ({count}" in text


@pytest.mark.parametrize(("collection", "most"), [("fleet", 3e6), ("variants", 1e6)])
def test_collections_are_small(collection, most):
    folder = files("bayescpt.data").joinpath("examples", collection)
    sizes = [file.stat().st_size for study in folder.iterdir() for file in study.iterdir()]
    assert sum(sizes) < most


# general set, target, parameters and tokens of a step of each variant, and its split
VARIANTS = {
    "batch": ("general", "changelog", 331_776, 8_192, "fit"),
    "code_16m": ("general", "code", 15_728_640, 2_048, "fit"),
    "curricula": ("general", "code", 331_776, 2_048, "fit"),
    "fresh": ("general", "math", 1_228_800, 2_048, "choose"),
    "from_code": ("code", "english", 331_776, 2_048, "choose"),
    "from_german": ("german", "math", 331_776, 2_048, "test"),
    "german_16m": ("general", "german", 15_728_640, 2_048, "test"),
    "lengths": ("general", "changelog", 331_776, 2_048, "choose"),
    "mixture": ("general", "german", 1_228_800, 2_048, "choose"),
    "muon": ("general", "code", 331_776, 2_048, "fit"),
    "no_decay": ("general", "code", 331_776, 2_048, "fit"),
    "overtrained": ("general", "german", 331_776, 2_048, "fit"),
    "sequence": ("general", "code", 331_776, 2_048, "test"),
}


@pytest.fixture(scope="module")
def variants(examples):
    return {name: examples[f"variant_{name}"] for name in VARIANTS}


def test_variants_are_small_studies_that_are_each_in_one_part_of_the_split(variants):
    found = {name for name in example_studies() if name.startswith("variant_")}
    assert found == {f"variant_{name}" for name in VARIANTS}
    assert sum(len(study.cpt_runs) for study in variants.values()) == 251
    for name, study in variants.items():
        general, target, n_params, tokens_per_step, split = VARIANTS[name]
        assert (study.general, study.targets) == (general, (target,))
        assert 15 <= len(study.cpt_runs) <= 24
        assert set(study.runs["n_params"]) == {n_params}
        assert set(study.runs["tokens_per_step"]) == {tokens_per_step}
        assert set(study.runs["split"]) == {split}


def test_variants_differ_in_what_the_fleet_holds_fixed(variants):
    def cpt(name):
        runs = variants[name].runs
        return runs[runs["phase"] == "cpt"]

    states = {name: set(cpt(name)["optimizer_state"]) for name in VARIANTS}
    assert states["fresh"] == {"fresh"}
    assert all(states[name] == {"carried"} for name in VARIANTS if name[-3:] not in ("16m", "esh"))
    sparse = variants["fresh"]
    assert all(len(sparse.curve(run, "math")) <= 12 for run in sparse.cpt_runs)
    curricula = variants["curricula"]
    ratios = [np.ndim(curricula.run(run).replay_ratio) for run in curricula.cpt_runs]
    assert sum(ratios) == 21
    lengths = variants["lengths"]
    assert {lengths.run(run).steps for run in lengths.cpt_runs} == {
        *(400, 800, 1_600, 3_200, 4_300, 5_000),
    }
    # Two bases that began alike: the shorter is a branch.
    assert variants["overtrained"].run("pt24k_cos").steps == 24_000
    assert variants["overtrained"].trunk_step("pt6k_cos") == 101


def test_the_largest_variant_repeats_recipes_of_the_fleet(variants, fleet):
    larger, smaller = variants["code_16m"], fleet["fleet_code_4m"]
    for name in larger.cpt_runs:
        one, other = larger.run(name), smaller.run(name)
        assert np.array_equal(one.replay_ratio, other.replay_ratio)
        assert one.schedule.lr == pytest.approx(0.7 * other.schedule.lr, rel=2e-3, abs=1e-9)
