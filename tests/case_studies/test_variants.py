"""The recipes of the variants in case_studies/make_study, and the fleet's plan beside them."""

import hashlib
from collections import Counter

import numpy as np
import pandas as pd
import pytest

from bayescpt.data import read_study

# Of the plan that the shipped fleet was trained from.
FLEET_RUNS = "b3160f7ba67b5f77fb05c795c1570593e84cd2f518e187840d5a8e37adfbbfef"
FLEET_SCHEDULES = "01818ea315a0671443f0cc8de59edd76c2eed9f92d0e5f47a6a157930a3be11a"


@pytest.fixture(scope="module")
def recipes(modules):
    return modules["variants"].all_recipes()


def of(recipes, name, phase="cpt"):
    return [r for r in recipes if r.variant == name and r.phase == phase]


def test_the_fleets_plan_is_what_it_was(modules, tmp_path):
    module = modules["recipes"]
    module.write_plan(module.all_recipes(), tmp_path)
    assert hashlib.sha256((tmp_path / "runs.csv").read_bytes()).hexdigest() == FLEET_RUNS
    digest = hashlib.sha256()
    with np.load(tmp_path / "schedules.npz") as arrays:
        for name in sorted(arrays.files):
            digest.update(name.encode())
            # In nine digits: the last bits of a cosine differ between builds of NumPy.
            digest.update(" ".join(f"{x:.8e}" for x in arrays[name][::50]).encode())
    assert digest.hexdigest() == FLEET_SCHEDULES


def test_each_variant_is_a_small_study_of_its_own(modules, recipes):
    module = modules["variants"]
    assert len({(r.size, r.key) for r in recipes}) == len(recipes)
    for name, spec in module.VARIANTS.items():
        runs = of(recipes, name)
        assert 15 <= len(runs) <= 24
        assert len({r.run for r in runs}) == len({r.seed for r in runs}) == len(runs)
        few = name == "lengths"  # of three recipes
        assert len({r.parent for r in runs}) >= (1 if few else 2)
        assert len({str(r.replay) for r in runs}) >= (3 if few else 5)
        steps = [r.lr().n_steps for r in runs]
        assert min(steps) >= 250
        assert max(steps) <= max(spec.lengths)
        peaks = np.array([r.lr().peak_lr for r in runs]) / spec.peak_lr
        assert 0.12 <= peaks.min() <= peaks.max() <= 2.01
        assert peaks.min() <= 0.5
        if spec.stack != "16m" and not few:
            assert sum(r.kind == "repeat" for r in runs) >= 1
            assert sum(not isinstance(r.replay, float) for r in runs) >= 2
    assert sum(not isinstance(r.replay, float) for r in of(recipes, "curricula")) == 21


def test_lengths_are_three_recipes_from_one_base_as_long_as_the_text_allows(modules, recipes):
    runs = of(recipes, "lengths")
    assert {r.parent for r in runs} == {"pt6k_cos"}
    longest = {0.1: 4_300, 0.25: 5_000, 0.5: 5_000}
    for replay, most in longest.items():
        steps = [r.lr().n_steps for r in runs if r.replay == replay]
        assert sorted(steps) == [400, 800, 1_600, 3_200, most]
        tokens = (1 - replay) * most * modules["variants"].STACKS["330k_long"].tokens_per_step
        assert tokens <= modules["variants"].CHANGELOG_TOKENS


def test_every_start_is_in_the_plan_and_trains_before(recipes):
    place = {(r.size, r.key): index for index, r in enumerate(recipes)}
    rows = [(r, r.row()) for r in recipes]
    for recipe, row in rows:
        origin = row["branch_of"] or row["parent"]
        assert (recipe.phase == "pt") or row["parent"]
        if origin and recipe.phase == "cpt":
            assert place[recipe.size, origin] < place[recipe.size, recipe.key]
        elif origin:
            trunk = recipes[place[recipe.size, origin]]
            assert recipe.branch_step <= trunk.lr().n_steps
            shared = slice(0, recipe.branch_step)
            assert np.array_equal(recipe.lr().lr[shared], trunk.lr().lr[shared])


def test_the_split_holds_whole_variants(modules, recipes):
    module = modules["variants"]
    for name in module.VARIANTS:
        assert {r.split for r in of(recipes, name)} == {module.splits()[name]}
    assert Counter(module.splits().values()) == {"fit": 6, "choose": 4, "test": 3}
    assert module.splits()["german_16m"] == module.splits()["from_german"] == "test"


def test_the_curricula_start_from_the_fleets_bases(modules, recipes):
    shared = {r.run: r for r in of(recipes, "curricula", "pt")}
    same = {r.run: r for r in modules["recipes"].bases("330k")}
    assert set(shared) == {"pt8k_r1", "pt8k_r0", "pt8k_r0.5", "pt3k_r1"}
    for run, base in shared.items():
        assert base.lr() == same[run].lr()
        assert base.seed == same[run].seed


def test_the_16m_runs_are_those_of_4m_at_the_scaled_peak(modules, recipes):
    fleet = {r.run: r for r in modules["recipes"].all_recipes() if r.size == "4m"}
    fleet |= {(r.domain, r.run): r for r in modules["recipes"].all_recipes() if r.size == "4m"}
    for name in ("code_16m", "german_16m"):
        for run in of(recipes, name):
            other = fleet[run.domain, run.run]
            assert np.allclose(run.lr().lr, 0.7 * other.lr().lr, rtol=2e-3, atol=1e-9)
            assert np.array_equal(run.replays(), other.replays())
            assert run.parent == other.parent


def test_bases_that_begin_alike_are_a_trunk_and_its_branch(modules, recipes):
    own = {r.key: r for r in recipes if r.size == "330k_long"}
    found = modules["build_variants"].with_trunks(own)
    changed = {key: recipe for key, recipe in found.items() if recipe != own[key]}
    assert set(changed) == {"overtrained-pt6k_cos"}
    branch, trunk = changed["overtrained-pt6k_cos"], own["overtrained-pt24k_cos"]
    assert (branch.branch_of, branch.seed) == (trunk.run, trunk.seed)
    shared = branch.branch_step
    assert np.array_equal(branch.lr().lr[:shared], trunk.lr().lr[:shared])
    assert branch.lr().lr[shared] != trunk.lr().lr[shared]


def test_a_base_is_judged_by_the_steps_that_had_the_fewest_runs(modules):
    pace = modules["pace"].Pace()
    assert pace.steps(10.0, base=True) > 1e9
    for _ in range(60):
        pace.add(1, 0.015)
    alone = pace.steps(218.0, base=True)
    assert alone == pytest.approx(218 / (1.15 * 0.015))
    for _ in range(60):
        pace.add(4, 0.052)
    assert pace.steps(218.0, base=False) == pytest.approx(218 / (1.15 * 0.052), rel=0.01)
    assert pace.steps(218.0, base=True) == alone


def test_a_larger_batch_draws_more_and_longer_sequences_fewer(modules):
    stream = modules["stream"]
    places = {"general": (0, 50_000), "target": (50_000, 60_000)}
    for sequence, per_step in ((128, 64), (512, 4)):
        starts = stream.sequence_starts(
            np.full(20, 0.25), 3, **places, sequence=sequence, per_step=per_step
        )
        assert starts.shape == (20, per_step)
        assert abs((starts < 50_000).mean() - 0.25) < 1 / starts.size + 1e-9
        assert starts.max() + sequence < 110_000
        assert len({int(x) % sequence for x in starts[starts < 50_000]}) == 1


@pytest.mark.parametrize(
    ("name", "general", "domains"),
    [
        ("from_german", "german", {"german", "math", "english", "code"}),
        ("mixture", "general", {"general", "german", "english", "code"}),
        ("overtrained", "general", {"general", "german", "spanish", "code"}),
        ("code_16m", "general", {"general", "code", "german"}),
    ],
)
def test_the_builder_writes_a_variant_that_reads_back(
    modules, recipes, tmp_path, name, general, domains
):
    spec = modules["variants"].VARIANTS[name]
    generator = np.random.default_rng(4)
    parts = []
    for recipe in [recipe for recipe in recipes if recipe.size == spec.stack]:
        steps = recipe.evaluations()
        for domain in recipe.sets:
            losses = 3 + 0.1 * generator.normal(size=len(steps))
            columns = {"size": recipe.size, "key": recipe.key, "step": steps, "domain": domain}
            parts.append(pd.DataFrame(columns | {"loss": losses}))
    curves = pd.concat(parts, ignore_index=True)
    cut = of(recipes, name)[3]
    curves = curves[(curves["key"] != cut.key) | (curves["step"] < 300)]
    builder = modules["build_variants"]
    assert builder.build(curves, name, recipes, tmp_path / f"variant_{name}")
    study = read_study(tmp_path / f"variant_{name}")
    assert study.general == general
    assert set(study.curves["domain"]) == domains
    split = modules["variants"].splits()[name]
    assert set(study.runs["split"]) == {split}
    expected = {r.run: r for r in of(recipes, name) if r.run != cut.run}
    assert set(study.runs.loc[study.runs["phase"] == "cpt", "run"]) == set(expected)
    for run, recipe in expected.items():
        assert study.run(run).schedule == recipe.lr()
        assert np.all(np.asarray(study.run(run).replay_ratio) == recipe.replays())
