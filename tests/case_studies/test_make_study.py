"""The recipes, data order and study builder of case_studies/make_study; training needs PyTorch."""

from collections import Counter, defaultdict

import numpy as np
import pandas as pd
import pytest

from bayescpt.data import read_study


@pytest.fixture(scope="module")
def recipes(modules):
    return modules["recipes"].all_recipes()


def cpt_of(recipes):
    return [recipe for recipe in recipes if recipe.phase == "cpt"]


def test_runs_cover_what_the_fleet_promises(modules, recipes):
    module, cpt = modules["recipes"], cpt_of(recipes)
    assert len(cpt) >= 250
    assert len({(recipe.size, recipe.key) for recipe in recipes}) == len(recipes)
    assert {(recipe.size, recipe.domain) for recipe in cpt} == {
        (size, target) for size in module.SIZES for target in module.TARGETS
    }
    constant = {recipe.replay for recipe in cpt if isinstance(recipe.replay, float)}
    assert constant == set(module.REPLAYS)
    assert sum(not isinstance(recipe.replay, float) for recipe in cpt) >= 20
    families = {"constant", "constant_with_warmup", "linear", "cosine", "warmup_stable_decay"}
    assert {recipe.schedule for recipe in cpt} == families | {
        *("inverse_sqrt", "infinite", "piecewise")
    }
    decays = {recipe.params.get("decay_type", "linear") for recipe in cpt}
    assert decays == {"linear", "cosine", "1-sqrt", "exponential", "geometric"}
    factors = [recipe.lr().peak_lr / module.SIZES[recipe.size].peak_lr for recipe in cpt]
    assert min(factors) == pytest.approx(1 / 8, rel=0.05)
    assert max(factors) == pytest.approx(2.0, rel=0.02)
    steps = [recipe.lr().n_steps for recipe in cpt]
    assert min(steps) == 250
    assert 3_500 < max(steps) <= 4_000
    assert len({recipe.parent for recipe in cpt}) == 8


def test_seeds_are_repeated_and_all_different(recipes):
    cpt = cpt_of(recipes)
    assert len({recipe.seed for recipe in cpt}) == len(cpt)
    groups = defaultdict(list)
    for recipe in cpt:
        groups[recipe.size, recipe.domain, recipe.stem].append(recipe)
    repeated = [group for group in groups.values() if len(group) > 1]
    assert sum(len(group) >= 3 for group in repeated) >= 6
    for group in repeated:
        assert len({(r.parent, r.replay, r.split, r.schedule) for r in group}) == 1
        assert len({r.lr() for r in group}) == 1


def test_the_split_holds_whole_targets_a_whole_size_and_a_fifth(modules, recipes):
    module = modules["recipes"]
    counts = defaultdict(Counter)
    for recipe in cpt_of(recipes):
        counts[recipe.domain, recipe.size][recipe.split] += 1
    for (target, size), count in counts.items():
        if target in module.TEST_TARGETS or size == module.TEST_SIZE:
            assert set(count) == {"test"}
        else:
            for split in ("test", "choose"):
                assert 0.1 < count[split] / count.total() < 0.35


def test_replay_and_lr_have_one_value_a_step(recipes):
    for recipe in recipes:
        replay = recipe.replays()
        assert replay.size == recipe.lr().n_steps
        assert 0 <= replay.min() <= replay.max() <= 1


def test_evaluations_start_at_0_are_dense_and_end_at_the_last_step(modules):
    grid = modules["recipes"].evaluation_steps(1_000)
    assert grid[:10] == [0, 2, 4, 8, 11, 16, 22, 32, 45, 64]
    assert grid[-1] == 1_000
    assert max(np.diff(grid)) <= 35
    branch = modules["recipes"].evaluation_steps(3_000, 2_500)
    assert branch[0] == 2_502
    assert branch[-1] == 3_000


@pytest.mark.parametrize("ratio", [0.0, 0.02, 0.05, 0.25, 0.75, 1.0])
def test_general_sequences_have_their_exact_share(modules, ratio):
    counts = modules["stream"].general_counts(np.full(1_000, ratio), 0.3)
    wanted = np.cumsum(np.full(1_000, 16 * ratio))
    assert np.all(np.abs(np.cumsum(counts) - wanted) < 1)
    assert counts.min() >= 0
    assert counts.max() <= 16


def test_a_run_sees_its_corpora_in_passes_and_depends_on_its_seed_only(modules):
    stream = modules["stream"]
    places = {"general": (0, 50_000), "target": (50_000, 20_000)}
    replay = np.linspace(0.0, 1.0, 60)
    starts = stream.sequence_starts(replay, 7, **places)
    assert np.array_equal(starts, stream.sequence_starts(replay, 7, **places))
    assert not np.array_equal(starts, stream.sequence_starts(replay, 8, **places))
    assert starts.max() + stream.SEQUENCE < 70_000
    general = (starts < 50_000).sum(axis=1)
    assert abs(general.sum() - 16 * replay.sum()) < 1
    # No sequence a second time before all were seen once: 155 fit into the target.
    _, times = np.unique(starts[starts >= 50_000], return_counts=True)
    assert times.max() - times.min() <= 1


def test_the_builder_writes_a_study_that_reads_back(modules, recipes, tmp_path):
    module = modules["recipes"]
    own = [recipe for recipe in recipes if recipe.size == "4m"]
    chosen = [recipe for recipe in own if recipe.domain == "math"]
    parts = []
    for recipe in [recipe for recipe in own if recipe.phase == "pt"] + chosen:
        steps = module.evaluation_steps(recipe.lr().n_steps, recipe.branch_step)
        for name in recipe.sets:
            columns = {"size": "4m", "key": recipe.key, "step": steps, "domain": name, "loss": 3.0}
            parts.append(pd.DataFrame(columns))
    curves = pd.concat(parts, ignore_index=True)
    cut, diverged = chosen[0], chosen[1]
    curves = curves[(curves["key"] != cut.key) | (curves["step"] < 500)]
    curves.loc[(curves["key"] == diverged.key) & (curves["step"] > 500), "loss"] = np.nan
    builder = modules["build_studies"]
    assert builder.build(curves, "math", "4m", recipes, tmp_path / "fleet_math_4m")
    assert not builder.build(curves, "code", "4m", recipes, tmp_path / "fleet_code_4m")
    study = read_study(tmp_path / "fleet_math_4m")
    built = {recipe.run for recipe in chosen} - {cut.run, diverged.run}
    assert set(study.runs.loc[study.runs["phase"] == "cpt", "run"]) == built
    assert set(study.curves["domain"]) == {"general", "math", *module.OTHERS["math"]}
    for recipe in chosen:
        if recipe.run in built:
            run = study.run(recipe.run)
            assert run.schedule == recipe.lr()
            assert np.all(np.asarray(run.replay_ratio) == recipe.replays())
