"""Curricula in pieces, in Python and in runs.csv; lengths of parts as shares."""

import numpy as np
import pandas as pd
import pytest

from bayescpt.data import curriculum, load_example, read_study, schedules, write_study
from bayescpt.errors import ScheduleError, StudyError


def test_a_piece_lasts_until_the_next():
    np.testing.assert_array_equal(curriculum([[0, 0.1], [3, 0.5], [4, 0]], 5), [*[0.1] * 3, 0.5, 0])


@pytest.mark.parametrize(
    ("pieces", "text"),
    [
        ([], r"expected pieces"),
        ([[0, 0.1, 3]], r"expected pieces"),
        ([[5, 0.1]], r"a piece from step 5; expected whole steps that increase from 0"),
        ([[0, 0.1], [0, 0.2]], r"a piece from step 0; expected whole steps that increase"),
        ([[0, 0.1], [2.5, 0.2]], r"a piece from step 2\.5"),
        ([[0, 0.1], [10, 0.2]], r"step 10, past the end of the run at step 10"),
        ([[0, 25]], r"replay_ratio is 25 from step 0; .*write 0\.25"),
    ],
)
def test_pieces_that_do_not_fit_are_named(pieces, text):
    with pytest.raises(StudyError, match=text):
        curriculum(pieces, 10)


def test_runs_may_have_a_curriculum_in_pieces(tmp_path):
    folder = write_study(load_example("cpt_micro").select(["de_r25_cos"]), tmp_path / "study")
    runs = pd.read_csv(folder / "runs.csv").astype({"replay_ratio": object})
    at = runs["run"] == "de_r25_cos"
    runs.loc[at, "replay_ratio"] = "[[0, 0.1], [600, 0.5]]"
    runs.to_csv(folder / "runs.csv", index=False)
    made = read_study(folder).run("de_r25_cos")
    np.testing.assert_array_equal(made.replay_ratio, np.repeat([0.1, 0.5], [600, 400]))
    for bad, text in (
        ("[[0, 0.1], [6000, 0.5]]", r"run 'de_r25_cos': .*past the end of the run at step 1000"),
        ("[[0, 0.1", r"run 'de_r25_cos'"),
    ):
        runs.loc[at, "replay_ratio"] = bad
        runs.to_csv(folder / "runs.csv", index=False)
        with pytest.raises(StudyError, match=text):
            read_study(folder)


def test_named_schedules_take_shares_and_the_steps_of_the_run(tmp_path):
    folder = write_study(load_example("cpt_micro").select(["de_r25_cos"]), tmp_path / "study")
    (folder / "lrs.parquet").unlink()
    runs = pd.read_csv(folder / "runs.csv")
    runs["schedule"] = "wsd"
    runs["schedule_params"] = "lr=2e-3;warmup_share=0.03;decay_share=0.2"
    runs["branch_of"] = runs["branch_step"] = None
    runs.to_csv(folder / "runs.csv", index=False)
    assert read_study(folder).run("de_r25_cos").schedule == schedules.wsd(2e-3, 1000, 30, 200)
    runs["schedule_params"] = "lr=2e-3;warmup=30"
    runs.to_csv(folder / "runs.csv", index=False)
    text = r"run 'pt_r1': schedules.wsd: unknown argument 'warmup'; did you mean 'num_warmup_steps'"
    with pytest.raises(StudyError, match=text):
        read_study(folder)


def test_schedules_of_the_shipped_study_are_those_that_were_run():
    study = load_example("cpt_micro")
    for row in study.runs.to_dict("records"):
        params = schedules.parse_params(row["schedule_params"])
        made = schedules.from_name(row["schedule"], **params)
        # Logged in single precision.
        np.testing.assert_allclose(made.lr, study.lrs[row["run"]], rtol=2e-7, atol=2e-10)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"decay_share": 20}, r"decay_share is 20; expected 0 to 1: .*write 0\.2"),
        ({"decay_share": "x"}, r"decay_share is 'x'; expected 0 to 1"),
        ({"decay_share": 0.2, "num_decay_steps": 5}, r"give decay_share .* or num_decay_steps"),
        ({"decay_frac": 0.2}, r"unknown argument 'decay_frac'; did you mean 'decay_share'\?"),
        ({"min_lr_rato": 0.2}, r"did you mean 'min_lr_ratio'\?"),
        ({"num_cooldown_steps": 5}, r"unknown argument 'num_cooldown_steps'; arguments: lr, num"),
    ],
)
def test_arguments_that_do_not_fit_are_named(given, text):
    with pytest.raises(ScheduleError, match=text):
        schedules.from_name("wsd", **{"lr": 1e-3, "num_training_steps": 100, **given})
