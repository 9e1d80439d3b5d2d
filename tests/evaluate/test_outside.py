"""What of a recipe lies outside the pilots' range."""

from dataclasses import replace

import numpy as np
import pytest

from bayescpt.data import Study, load_example, schedules
from bayescpt.evaluate.outside import EXTRAPOLATED, joined, outside_pilots

PILOTS = ["de_r10_wsd", "de_r50_wsd", "de_r25_wsd_s2"]


def changed(**values):
    """cpt_micro with one run changed: its columns, or its learning rates (``lr``)."""
    study = load_example("cpt_micro")
    lr = values.pop("lr", study.lrs["de_r25_wsd_s1"])
    replay = values.pop("replay", None)
    runs = study.runs.drop(columns=["schedule", "schedule_params", "peak_lr"])
    own = runs["run"] == "de_r25_wsd_s1"
    values = {"steps": len(lr), **values}
    for column, value in values.items():
        runs[column] = runs[column].astype(object)
        runs.loc[own, column] = value
    curves = study.curves[(study.curves["run"] != "de_r25_wsd_s1") | (study.curves["step"] == 0)]
    made = Study.from_frames(
        curves,
        runs,
        {**study.lrs, "de_r25_wsd_s1": lr},
        general="general",
        allow_mixed=("n_params",),
    )
    return made if replay is None else replace(made, replays={"de_r25_wsd_s1": replay})


def wsd(steps=1000, peak=2e-3, decay=200):
    made = schedules.wsd(
        lr=peak, num_training_steps=steps, num_warmup_steps=29, num_decay_steps=decay
    )
    return made.lr


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, []),
        ({"parent": "pt_r1"}, ["start"]),
        ({"lr": wsd(peak=1e-3)}, ["peak LR"]),
        ({"lr": wsd(peak=4e-3)}, ["peak LR"]),
        ({"replay_ratio": 0.05}, ["replay"]),
        ({"replay_ratio": 0.75}, ["replay"]),
        ({"replay_ratio": 0.3}, []),
        ({"replay": np.repeat([0.1, 0.5], 500)}, ["replay"]),
        ({"lr": wsd(steps=2000, decay=400)}, ["length"]),
        ({"lr": wsd(steps=400, decay=80)}, ["length"]),
        ({"lr": wsd(steps=600, decay=120)}, []),
        ({"lr": wsd(decay=500)}, ["schedule"]),
        ({"lr": wsd(decay=240)}, []),
        ({"lr": np.full(1000, 2e-3)}, ["schedule"]),
        ({"n_params": 1e6}, ["size"]),
        ({"domain": "code"}, ["target"]),
        (
            {"lr": wsd(steps=2000, peak=4e-3), "parent": "pt_r1", "replay_ratio": 0},
            ["start", "peak LR", "replay", "length", "schedule"],
        ),
    ],
)
def test_each_way_out_is_named(values, expected):
    assert outside_pilots(changed(**values), PILOTS, "de_r25_wsd_s1") == expected


def test_a_change_that_a_pilot_has_too_is_inside():
    study = load_example("cpt_micro")
    assert outside_pilots(study, PILOTS, "de_r25_cos") == ["schedule"]
    assert outside_pilots(study, [*PILOTS, "de_r25_cos"], "de_r25_cos") == []
    assert outside_pilots(study, ["de_r25_wsd_lp1"], "de_r0_const_lp1_nowarm") == [
        "replay",
        "schedule",
    ]


def test_labels():
    assert joined([]) == EXTRAPOLATED[0] == "none"
    assert joined(["start", "peak LR"]) == "start, peak LR"
