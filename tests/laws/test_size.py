import numpy as np
import pytest

from bayescpt.data import load_example
from bayescpt.data.study import Study
from bayescpt.errors import StudyError
from bayescpt.evaluate.several_sizes import several_sizes
from bayescpt.laws.law import Law
from bayescpt.laws.trajectory import run_trajectory
from bayescpt.laws.view import View
from bayescpt.model.card_file import load_card
from bayescpt.model.rows import make_rows
from bayescpt.model.starts import start_shares

CHOICES = {
    "base": "power", "annealing": "area", "level": "washed", "rewarm": "tied", "shift": "power",
    "replay": "fade", "size": "power",
}  # fmt: skip
VALUES = {
    "base_ref": 0.2, "alpha_s1": 0.5, "anneal_ref": 0.3, "rewarm_share": 0.5, "jump": -0.02,
    "shift_ref": 0.8, "onset": 20.0, "beta": 0.3, "share_kappa": 0.5, "share_gamma": 0.1,
    "shift_peak": 0.3, "speed_peak": 0.1, "share_size": 0.1, "keep_power": 0.6,
    "forget_peak": -0.2, "start_wash": 0.2, "start_level": 3.0, "start_mean": 3.1,
}  # fmt: skip
SIZES = {
    "size_base": 0.25, "size_anneal": 0.05, "size_shift": -0.07, "size_speed": 0.2,
    "size_keep": -0.1, "size_jump": 0.01, "size_shift_sd": 0.1, "size_shift_offset": -0.5,
    "size_speed_sd": 0.2, "size_speed_offset": 1.5,
}  # fmt: skip
SEEN = {
    "log_area": np.log([1.0, 1.1, 1.3]), "log_area_start": 0.0, "rise_all": 0.4, "log_peak": -0.3,
    "anneal": np.array([0.0, 0.1, 0.6]), "shift_area": np.array([0.0, 0.4, 1.2]),
    "replay": 0.25, "replay_seen": 0.0, "is_cpt": 1.0,
}  # fmt: skip


@pytest.mark.parametrize("target", [0.0, 1.0])
@pytest.mark.parametrize("ratio", [0.1, 1.0, 10.0])
def test_terms_of_a_model_are_those_of_the_reference_times_powers_of_its_size(target, ratio):
    """Eq. 7 of arXiv 2505.07796: C2 S2cpt N^g2, and the like for the other terms."""
    seen = SEEN | {"is_target": target}
    scaled = VALUES | {
        "base_ref": 0.2 * ratio**0.25,
        "anneal_ref": 0.3 * ratio**0.05,
        "shift_ref": 0.8 * ratio**-0.07 * np.exp(-0.05),
        "onset": 20.0 * ratio**0.2 * np.exp(0.3),
        "keep_power": 0.6 * ratio**-0.1,
        "jump": -0.02 + 0.01 * np.log(ratio),
    }
    plain = {slot: name for slot, name in CHOICES.items() if slot != "size"}
    expected = Law(plain, pretraining=False).value(scaled, seen)
    law = Law(CHOICES, pretraining=False)
    found = law.value(VALUES | SIZES, seen | {"log_size": np.log(ratio)})
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_pretraining_has_the_floor_of_equation_7():
    """L0 + F N^-g3 and C1 S2pt N^g1; the published fit of the general set, N in millions."""
    law = Law({"base": "power", "annealing": "momentum", "level": "anchored", "size": "power"})
    middle, floor, g3, g1, c1 = 200.0, 3.072, 0.195, 0.235, 0.09
    p = {
        "base_ref": 0.2, "alpha_s1": 0.5, "size_base": 0.0, "size_anneal_pt": g1,
        "anneal_pt_ref": c1 * middle**g1, "level_pt": 2.0 + floor * middle**-g3,
        "size_floor": floor * middle**-g3, "size_floor_exponent": g3,
    }  # fmt: skip
    seen = {"log_area": 0.0, "log_area_start": 0.0, "anneal": 0.7, "is_cpt": 0.0}
    for size in (50.0, 200.0, 1700.0):
        found = law.value(p, seen | {"log_size": np.log(size / middle)})
        expected = 2.0 + floor * size**-g3 - c1 * 0.7 * size**g1
        np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_the_reference_is_the_geometric_mean_of_the_fitted_sizes():
    study = several_sizes(load_example("cpt_micro"), {16.0: 1.0})
    rows = make_rows(study, load_card("cpt_sizes"))
    assert rows.refs["size"] == pytest.approx(4 * 332448.0)
    assert set(rows.segment["log_size"].round(9)) == set(np.log([0.25, 4.0]).round(9))


def test_one_unknown_size_among_known_ones_is_an_error():
    study = several_sizes(load_example("cpt_micro"), {4.0: 1.0})
    unknown = study.runs["run"].str.endswith("@4")
    runs = study.runs.assign(n_params=study.runs["n_params"].where(~unknown))
    half = Study.from_frames(study.curves, runs, study.lrs, general="general")
    with pytest.raises(StudyError, match=r"run '.*@4' has no n_params, but the others"):
        make_rows(half, load_card("cpt_sizes"))


def test_a_study_without_sizes_is_of_the_reference_size():
    study = load_example("cpt_micro")
    bare = Study.from_frames(
        study.curves, study.runs.drop(columns="n_params"), study.lrs, general="general"
    )
    rows = make_rows(bare, load_card("cpt_sizes"))
    assert not rows.segment["log_size"].any()
    path = run_trajectory(bare, bare.cpt_runs[0])
    law = load_card("cpt_sizes").law
    assert law.features(View(path, np.array([1]), rows.refs), False)["log_size"] == 0.0


def test_start_checkpoints_wash_out_among_those_of_their_size():
    study = several_sizes(load_example("cpt_micro"), {4.0: 1.0})
    rows = make_rows(study, load_card("cpt_sizes"))
    names = rows.labels.level_names
    shares = start_shares(rows.segment, len(names))
    for k, name in enumerate(names):
        checkpoint, domain = name.split("|")
        peers = [other for other, share in zip(names, shares[k], strict=True) if share]
        if peers:
            assert {p.split("|")[1] for p in peers} == {domain}
            assert {p.split("|")[0].endswith("@4") for p in peers} == {checkpoint.endswith("@4")}
    np.testing.assert_allclose(shares.sum(axis=1)[shares.any(axis=1)], 1.0)
