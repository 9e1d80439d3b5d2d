"""Every defect of a study has its own error, which names the run, the step and the value."""

import numpy as np
import pandas as pd
import pytest

from bayescpt.data import Study
from bayescpt.errors import StudyError


def assert_refused(tables, message, **kwargs):
    with pytest.raises(StudyError, match=message):
        tables.study(**kwargs)


def add_curve(tables, *rows):
    more = pd.DataFrame(rows, columns=["run", "step", "domain", "loss"])
    tables.curves = pd.concat([tables.curves, more], ignore_index=True)


def test_the_unchanged_tables_are_valid(tables):
    tables.study()


@pytest.mark.parametrize(
    ("loss", "shown"), [(np.nan, "nan"), (np.inf, "inf"), (-0.5, "-0.5"), (0.0, "0")]
)
def test_impossible_loss(tables, loss, shown):
    tables.set_loss("mix", 2, "german", loss)
    assert_refused(
        tables,
        rf"curves: run 'mix', step 2, domain 'german': loss is {shown}; expected a finite",
    )


def test_text_for_a_loss(tables):
    tables.curves["loss"] = tables.curves["loss"].astype(object)
    tables.set_loss("mix", 2, "german", "diverged")
    assert_refused(tables, r"curves: run 'mix': loss is 'diverged'; expected a number")


def test_duplicate_step(tables):
    add_curve(tables, ("mix", 4, "german", 4.0))
    assert_refused(tables, r"curves: run 'mix', step 4, domain 'german': step 4 appears twice")


def test_decreasing_step(tables):
    add_curve(tables, ("mix", 3, "german", 4.2))
    assert_refused(tables, r"run 'mix', step 3, .*: step 3 comes after step 4: steps must increase")


@pytest.mark.parametrize(("step", "shown"), [(-1, "-1"), (4.5, "4.5"), (np.inf, "inf")])
def test_step_that_is_not_a_whole_number(tables, step, shown):
    tables.curves["step"] = tables.curves["step"].astype(float)
    add_curve(tables, ("pure", step, "general", 4.2))
    assert_refused(
        tables, rf"curves: run 'pure': step is {shown}; expected a whole number, 0 or more"
    )


def test_missing_step(tables):
    add_curve(tables, ("pure", np.nan, "german", 4.2))
    assert_refused(tables, r"curves: run 'pure': row 18 has no step")


def test_step_past_the_end(tables):
    add_curve(tables, ("mix", 5, "german", 4.0))
    assert_refused(
        tables, r"run 'mix', step 5, .*: step 5 is past the end of the schedule at step 4"
    )


def test_unknown_run_in_curves(tables):
    add_curve(tables, ("mxi", 1, "german", 4.0))
    assert_refused(tables, r"curves: unknown run 'mxi'; runs: base, annealed, mix, pure")


@pytest.mark.parametrize("column", ["run", "domain"])
def test_blank_name_in_curves(tables, column):
    tables.curves.loc[3, column] = " "
    assert_refused(tables, rf"curves: row 4 has no {column}")


def test_unknown_parent(tables):
    tables.set_run("mix", parent="anealed")
    assert_refused(
        tables, r"runs: run 'mix': unknown parent 'anealed'; runs: base, annealed, mix, pure"
    )


def test_unknown_branch_of(tables):
    tables.set_run("annealed", branch_of="bas")
    assert_refused(tables, r"runs: run 'annealed': unknown branch_of 'bas'; runs: base")


def test_unknown_target_domain(tables):
    tables.set_run("mix", domain="germna")
    assert_refused(
        tables, r"run 'mix': unknown domain 'germna'; domains with a curve: general, german"
    )


@pytest.mark.parametrize("column", ["parent", "domain"])
def test_cpt_run_without_parent_or_domain(tables, column):
    tables.set_run("mix", **{column: ""})
    assert_refused(tables, rf"runs: column {column} is blank in row 3 \(run 'mix'\): name")


def test_cycle_of_parents(tables):
    tables.set_run("annealed", parent="pure")
    tables.set_run("pure", parent="mix")
    assert_refused(
        tables, r"run 'annealed' descends from itself: annealed -> pure -> mix -> annealed"
    )


def test_cycle_through_a_trunk(tables):
    tables.set_run("base", parent="annealed")
    assert_refused(tables, r"run 'base' descends from itself: base -> annealed -> base")


@pytest.mark.parametrize(("ratio", "shown"), [(-0.1, "-0.1"), (101.0, "101")])
def test_replay_outside_its_range(tables, ratio, shown):
    tables.set_run("mix", replay_ratio=ratio)
    assert_refused(tables, rf"runs: run 'mix': replay_ratio is {shown}; expected 0 to 1")


def test_a_cpt_run_without_a_replay_ratio_is_no_run_without_replay(tables):
    tables.set_run("mix", replay_ratio=np.nan)
    assert_refused(
        tables, r"runs: column replay_ratio is blank in row 3 \(run 'mix'\): give the share of"
    )
    tables.runs = tables.runs.drop(columns="replay_ratio")
    assert_refused(tables, r"replay_ratio is blank in row 3 \(run 'mix'\), row 4 \(run 'pure'\):")


@pytest.mark.parametrize(
    ("column", "meant"),
    [
        ("replay", "replay_ratio"),
        ("replay_ration", "replay_ratio"),
        ("Replay Ratio", "replay_ratio"),
        ("replay_frac", "replay_ratio"),
    ],
)
def test_a_misspelt_column_of_runs(tables, column, meant):
    tables.runs = tables.runs.rename(columns={meant: column})
    assert_refused(tables, f"runs: unknown column {column!r}; did you mean {meant!r}?")


def test_columns_of_the_users_own_are_kept(tables):
    tables.runs["owner"] = "me"
    tables.runs["peak_lr"] = 1e-3
    assert {"owner", "peak_lr"} <= set(tables.study().runs.columns)


def test_percentage_in_place_of_a_ratio(tables):
    tables.set_run("mix", replay_ratio=25)
    assert_refused(tables, r"run 'mix': replay_ratio is 25: looks like a percentage; write 0.25")


def test_replay_of_one_step_outside_its_range(tables):
    tables.lrs["replay"] = np.where(tables.lrs["run"] == "mix", 0.5, np.nan)
    at_3 = (tables.lrs["run"] == "mix") & (tables.lrs["step"] == 3)
    tables.lrs.loc[at_3, "replay"] = 50
    assert_refused(
        tables, r"lrs: run 'mix', step 3: replay is 50: looks like a percentage; write 0.5"
    )
    tables.lrs.loc[at_3, "replay"] = np.nan
    assert_refused(tables, r"lrs: run 'mix', step 3: replay is nan; expected 0 to 1")


@pytest.mark.parametrize(("lr", "shown"), [(-1e-3, "-0.001"), (np.nan, "nan"), (np.inf, "inf")])
def test_impossible_learning_rate(tables, lr, shown):
    tables.set_lr("pure", 3, lr)
    assert_refused(tables, rf"lrs: run 'pure', step 3: learning rate is {shown}; expected a finite")


def test_learning_rate_missing_inside(tables):
    tables.lrs = tables.lrs.drop(index=tables.lrs.query("run == 'pure' and step == 2").index)
    assert_refused(tables, r"run 'pure': the learning rate is missing at step 2 \(next is 3\)")


def test_learning_rate_missing_at_the_end(tables):
    tables.lrs = tables.lrs.query("run != 'pure' or step < 4")
    assert_refused(tables, r"lrs: run 'pure': the learning rate is missing at step 4 of 4")


def test_no_learning_rates_for_a_cpt_run(tables):
    tables.lrs = tables.lrs.query("run != 'pure'")
    assert_refused(tables, r"lrs: cpt run 'pure' has no learning rates")


def test_more_learning_rates_than_steps(tables):
    tables.set_run("pure", steps=3)
    assert_refused(tables, r"run 'pure' has 4 learning rates, but 3 steps in runs")


def test_learning_rate_steps_that_count_from_zero(tables):
    tables.lrs["step"] -= 1
    assert_refused(tables, r"run 'base': step is 0; expected 1: steps count from 1")


def test_learning_rate_step_twice(tables):
    tables.lrs.loc[tables.lrs.query("run == 'pure' and step == 3").index, "step"] = 2
    assert_refused(tables, r"lrs: run 'pure': step 2 appears twice")


def test_learning_rates_of_an_unknown_run(tables):
    tables.lrs.loc[tables.lrs["run"] == "pure", "run"] = "prue"
    assert_refused(tables, r"lrs: unknown run 'prue'; runs: base, annealed, mix, pure")


def test_learning_rates_without_a_run(tables):
    tables.lrs.loc[2, "run"] = None
    assert_refused(tables, r"lrs: row 3 has no run")


@pytest.mark.parametrize("table", ["runs", "curves"])
def test_empty_study(tables, table):
    setattr(tables, table, getattr(tables, table).iloc[:0])
    assert_refused(tables, rf"{table}: the study is empty: no row in {table}")


@pytest.mark.parametrize(
    ("table", "column", "found"),
    [
        ("runs", "phase", "run, parent, domain"),
        ("curves", "loss", "run, step, domain$"),
        ("lrs", "lr", "run, step$"),
    ],
)
def test_missing_column_lists_those_found(tables, table, column, found):
    setattr(tables, table, getattr(tables, table).drop(columns=column))
    assert_refused(tables, rf"{table}: missing column {column}; found: {found}")


def test_table_without_columns(tables):
    with pytest.raises(StudyError, match=r"curves: missing column run, step, .*; found: none"):
        Study.from_frames(pd.DataFrame(), tables.runs)


def test_unknown_phase(tables):
    tables.set_run("mix", phase="sft")
    assert_refused(tables, r"runs: run 'mix': unknown phase 'sft'; expected pt or cpt")


def test_duplicate_run(tables):
    tables.set_run("pure", run="mix")
    assert_refused(tables, r"runs: run 'mix' appears twice \(rows 3 and 4\)")


def test_run_without_a_name(tables):
    tables.set_run("pure", run="")
    assert_refused(tables, r"runs: row 4 has no run")


def test_text_for_a_number_of_a_run(tables):
    tables.set_run("mix", n_params="1M")
    assert_refused(tables, r"runs: run 'mix': n_params is '1M'; expected a number")


def test_branch_whose_learning_rate_differs_before_its_branch_step(tables):
    tables.set_lr("annealed", 3, 1e-3)
    assert_refused(
        tables,
        r"run 'annealed' branches off 'base' at step 6, but at step 3 its learning rate is 0.001, "
        r"not 0.002",
    )


def test_branch_step_may_be_one_too_high(tables):
    tables.set_run("annealed", branch_step=7)
    assert tables.study().trunk_step("annealed") == 6
    tables.set_run("annealed", branch_step=8)
    assert_refused(tables, r"at step 7 its learning rate is 0.001, not 0.002")


@pytest.mark.parametrize("step", [0, 9])
def test_branch_step_outside_the_trunk(tables, step):
    tables.set_run("annealed", branch_step=step)
    assert_refused(
        tables,
        rf"run 'annealed': branch_step is {step}; expected 1 to 8, the .* can share with 'base'",
    )


def test_branch_step_without_a_trunk(tables):
    tables.set_run("mix", branch_step=2)
    assert_refused(tables, r"run 'mix': branch_step is 2, but branch_of is blank")


def test_misspelt_general_domain(tables):
    assert_refused(
        tables,
        r"general domain 'genral' has no curve; did you mean 'general'\? domains: general, ger",
        general="genral",
    )


def test_mixed_model_sizes(tables):
    tables.set_run("mix", n_params=1.02e6)
    assert_refused(
        tables,
        r"runs: n_params is 1,000,000 in run 'base' but 1,020,000 in run 'mix'; .* one model size: "
        r'.* allow_mixed = \["n_params"\] in the table \[study\] of study.toml',
    )
    assert_refused(tables, "n_params is", allow_mixed=["tokens_per_step"])
    assert tables.study(allow_mixed=["n_params"]).run("mix").n_params == 1.02e6


def test_model_sizes_within_one_percent_or_missing_are_one_size(tables):
    tables.set_run("mix", n_params=1.009e6)
    tables.set_run("pure", n_params=np.nan)
    tables.study()


def test_mixed_batch_sizes(tables):
    tables.set_run("base", tokens_per_step=2048)
    tables.set_run("pure", tokens_per_step=2049)
    assert_refused(
        tables,
        r"tokens_per_step is 2,048 in run 'base' but 2,049 in run 'pure'; .* one batch size",
    )
    assert tables.study(allow_mixed="tokens_per_step").allow_mixed == ("tokens_per_step",)


def test_a_run_that_no_fit_uses_may_have_any_size(tables):
    tables.set_run("pure", n_params=7e9)
    tables.curves = tables.curves.query("run != 'pure'")
    tables.study()


@pytest.mark.parametrize("name", ["base", "annealed"])
def test_a_trunk_or_parent_without_a_curve_counts(tables, name):
    # mix starts from annealed, which branches off base.
    tables.set_run(name, n_params=7e9)
    tables.curves = tables.curves.query("run == 'mix'")
    assert_refused(tables, rf"7,000,000,000 in run '{name}'")


@pytest.mark.parametrize(
    ("unit", "hint"),
    [
        ("bits/byte", r"did you mean 'bit/byte'\? known units"),
        ("nats per token", r"did you mean 'nat/token'\? known units"),
        ("Nat/Token", r"did you mean 'nat/token'\? known units"),
        ("loss", r"known units: nat/token, bit/token, nat/byte, bit/byte, perplexity"),
    ],
)
def test_unknown_loss_unit(tables, unit, hint):
    assert_refused(tables, rf"study.toml: loss_unit is '{unit}'; {hint}", loss_unit=unit)
