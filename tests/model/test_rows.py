from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from bayescpt.data import Study, load_example
from bayescpt.errors import FitError
from bayescpt.laws.references import references
from bayescpt.laws.replay_state import BETA, ONSET
from bayescpt.laws.trajectory import run_trajectory
from bayescpt.laws.view import View
from bayescpt.model.card_file import load_card
from bayescpt.model.rows import compress, make_rows


@pytest.fixture(scope="module")
def rows(study, card):
    return make_rows(study, card())


def row_keys(rows):
    """(run, domain, step) of every row."""
    run, domain = rows.labels.run, rows.labels.domain
    r = rows.row
    return [
        (run[i], domain[d], int(s))
        for i, d, s in zip(r["run"], r["domain"], r["step"], strict=True)
    ]


def test_labels(rows):
    labels = rows.labels
    assert labels.domain == ("general", "german")
    assert labels.pair == (("general", "german"), ("german", "german"))
    assert labels.checkpoint == ("annealed", "base")
    assert labels.run == ("pure", "mix", "mix_late", "replay", "base", "annealed")
    assert labels.level_names[:2] == ("annealed|general", "annealed|german")
    assert labels.curve_names[:2] == ("pure|general", "pure|german")
    assert labels.pair_names == ("general|german", "german|german")


def test_rows_are_sorted_by_segment_then_step(rows):
    segment, step = rows.row["segment"], rows.row["step"]
    assert np.all(np.diff(segment) >= 0)
    assert set(segment) == set(range(len(rows.segment["level"])))
    same = np.diff(segment) == 0
    assert np.all(np.diff(step)[same] > 0)
    # One run on one domain in one segment.
    for s in set(segment):
        here = segment == s
        assert (
            len({key[:2] for key, inside in zip(row_keys(rows), here, strict=True) if inside}) == 1
        )


def test_each_row_is_a_loss_of_the_study(rows, study):
    losses = study.curves.set_index(["run", "domain", "step"])["loss"]
    keys = row_keys(rows)
    assert len(set(keys)) == len(keys)
    np.testing.assert_array_equal(rows.loss, [losses[key] for key in keys])


def test_rows_of_a_shared_trunk_enter_once(rows):
    steps = {name: [k[2] for k in row_keys(rows) if k[0] == name] for name in rows.labels.run}
    assert min(steps["mix_late"]) == 21
    assert 20 in steps["mix"]
    assert min(steps["annealed"]) == 70
    assert 60 in steps["base"]


def test_a_trunk_that_is_not_fitted_does_not_hide_rows(study, card):
    without_losses = study.curves[study.curves["run"] != "mix"]
    alone = replace(study, curves=without_losses.reset_index(drop=True))
    steps = [k[2] for k in row_keys(make_rows(alone, card())) if k[0] == "mix_late"]
    assert min(steps) == 3


def test_a_trunk_whose_domain_is_not_fitted_does_not_hide_rows(study, card):
    """German rises on the trunk, so it is not fitted there; on this branch it falls."""
    curves = study.curves.copy()
    falling = (curves["run"] == "annealed") & (curves["domain"] == "german")
    curves.loc[falling, "loss"] = 7.0 - 0.01 * curves.loc[falling, "step"]
    keys = row_keys(make_rows(replace(study, curves=curves), card()))
    assert not [k for k in keys if k[:2] == ("base", "german")]
    assert min(k[2] for k in keys if k[:2] == ("annealed", "german")) == 20


def test_step_0_of_a_cpt_run_is_no_row_but_the_level(rows, study):
    cpt = set(study.cpt_runs)
    assert min(k[2] for k in row_keys(rows) if k[0] in cpt) == 3
    expected = [
        study.checkpoint_loss(start, domain)
        for start in rows.labels.checkpoint
        for domain in rows.labels.domain
    ]
    np.testing.assert_array_equal(rows.start["loss"], expected)
    np.testing.assert_array_equal(rows.start["sd"], 0.02)


def test_level_sd_is_the_cards(study, card):
    text = '[law]\nshift = "power"\n[rows]\nlevel_sd = 0.005'
    np.testing.assert_array_equal(make_rows(study, card(text)).start["sd"], 0.005)


def test_previous_is_the_row_before_of_the_same_curve(rows, study):
    keys = row_keys(rows)
    for n, (run, domain, step) in enumerate(keys):
        before = int(rows.row["previous"][n])
        earlier = [k for k in keys if k[:2] == (run, domain) and k[2] < step]
        if earlier:
            assert keys[before] == max(earlier, key=lambda k: k[2])
            gap = (step - keys[before][2]) / study.run(run).steps
            assert rows.row["gap"][n] == pytest.approx(gap)
        else:
            assert before == n
            # No correlation at all, yet a finite number: the gradient of exp(-gap / x) exists.
            assert np.exp(-rows.row["gap"][n] / 10.0) == 0.0
            assert np.isfinite(rows.row["gap"][n])


def test_partner_is_the_general_row_of_the_same_run_and_step(rows):
    keys = row_keys(rows)
    paired = 0
    for n, (run, domain, step) in enumerate(keys):
        partner = int(rows.row["partner"][n])
        if domain == "german" and (run, "general", step) in keys:
            assert keys[partner] == (run, "general", step)
            assert rows.row["paired"][n] == 1.0
            paired += 1
        else:
            assert partner == n
            assert rows.row["paired"][n] == 0.0
    assert paired > 5


@pytest.mark.parametrize("name", ["own_share", "variants"])
def test_columns_are_the_features_of_the_runs(study, card, name):
    made = card(name)
    rows, law = make_rows(study, made), made.law
    refs = references(study, law)
    assert rows.refs == refs
    keys = row_keys(rows)
    basis = {key: (rows.basis[key].T @ rows.mix[key])[rows.row["place"]] for key in rows.basis}
    assert set(basis) == {"anneal"}
    for run in rows.labels.run:
        path = run_trajectory(study, run)
        here = [n for n, k in enumerate(keys) if k[0] == run]
        view = View(path, np.array([keys[n][2] for n in here]), refs)
        own = [path.is_cpt and keys[n][1] == path.target for n in here]
        by_target = {is_target: law.features(view, is_target) for is_target in (False, True)}
        segment = rows.row["segment"][here]
        for key in law.row_features:
            expected = np.where(own, by_target[True][key], by_target[False][key])
            np.testing.assert_allclose(rows.row[key][here], expected, rtol=1e-14)
        for key in law.segment_features:
            expected = np.where(own, by_target[True][key], by_target[False][key])
            np.testing.assert_allclose(rows.segment[key][segment], expected, rtol=1e-14)
        np.testing.assert_allclose(basis["anneal"][here], by_target[False]["anneal"], atol=1e-10)
        remembered = np.where(own, view.replay_on(True), view.replay_on(False))
        np.testing.assert_allclose(rows.segment["replay"][segment], remembered, atol=1e-11)
        np.testing.assert_array_equal(rows.row["fraction"][here], view.fraction)


def test_areas_of_the_rows_are_those_of_the_schedules(study, card):
    """S1 over its references; what a target learns by is the sum of LR^.6."""
    rows = make_rows(study, card("variants"))
    refs, lrs = rows.refs, study.lrs
    for n, (run, domain, step) in enumerate(row_keys(rows)):
        lr, parent = lrs[run][:step], {"pure": "annealed", "replay": "annealed"}.get(run, "base")
        is_cpt = run in study.cpt_runs
        # A branch of pre-training has the whole schedule itself.
        before = lrs[parent].sum() if is_cpt else 0.0
        assert rows.row["log_area"][n] == pytest.approx(np.log((before + lr.sum()) / refs["area"]))
        peak = refs["peak_lr"]
        spent = ((lr / peak) ** 0.6).sum() * peak if domain == "german" else lr.sum()
        expected = spent / refs["shift_area"] if is_cpt else 0.0
        assert rows.row["shift_area"][n] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("example", [False, True])
def test_a_segment_is_a_range_of_rows_and_domains_of_a_run_share_its_places(rows, example):
    if example:
        rows = make_rows(load_example("cpt_micro"), load_card("cpt_replay"))
    first, segment, place = rows.segment["first"], rows.row["segment"], rows.row["place"]
    np.testing.assert_array_equal(np.searchsorted(segment, np.arange(first.size)), first)
    by_place = {}
    for n, (run, _, step) in enumerate(row_keys(rows)):
        assert by_place.setdefault(place[n], (run, step)) == (run, step)
        if n and segment[n] == segment[n - 1]:
            assert place[n] == place[n - 1] + 1
    # The example is evaluated on both domains at the same steps, the small study is not.
    assert len(by_place) == rows.basis["anneal"].shape[1] == place.size // (2 if example else 1)


def test_segments_point_at_their_level_pair_and_curve(rows):
    labels, segment = rows.labels, rows.segment
    keys = row_keys(rows)
    starts = {"pure": "annealed", "mix": "base", "mix_late": "base", "replay": "annealed"}
    for n, (run, domain, _) in enumerate(keys):
        s = rows.row["segment"][n]
        is_cpt = run in starts
        assert labels.curve_names[segment["curve"][s]] == f"{run}|{domain}"
        assert labels.domain[segment["domain"][s]] == domain
        assert segment["is_cpt"][s] == is_cpt
        assert segment["is_target"][s] == (is_cpt and domain == "german")
        if is_cpt:
            assert labels.level_names[segment["level"][s]] == f"{starts[run]}|{domain}"
            assert labels.pair[segment["pair"][s]] == (domain, "german")
        else:
            # It has neither; the first of each stands there and plays no part.
            assert segment["level"][s] == segment["pair"][s] == 0
            assert rows.row["shift_area"][n] == 0.0


def test_a_replay_that_varies_makes_a_segment_for_each_value(study, card):
    varying = replace(study, replays={"pure": np.repeat([0.0, 0.8], 20)})
    rows = make_rows(varying, card())
    keys = row_keys(rows)
    here = [n for n, k in enumerate(keys) if k[:2] == ("pure", "general")]
    segment = rows.row["segment"][here]
    # Steps 3, 10 and 20 have seen no replay yet; 21 and 40 each remember a ratio of their own.
    assert [keys[n][2] for n in here] == [3, 10, 20, 21, 40]
    np.testing.assert_array_equal(segment - segment[0], [0, 0, 0, 1, 2])
    area = np.cumsum(varying.lrs["pure"]) / rows.refs["shift_area"]

    def left(spent):
        return (1 + ONSET * spent) ** -BETA

    # .8 since step 20, in a memory that fades.
    expected = [0.8 * (1 - left(area[k] - area[19])) / (1 - left(area[k])) for k in (20, 39)]
    np.testing.assert_allclose(rows.segment["replay"][segment[-2:]], expected, atol=1e-11)
    np.testing.assert_array_equal(rows.segment["replay"][segment[:3]], 0.0)
    # The curve is still one curve.
    assert list(rows.row["previous"][here][1:]) == here[:-1]


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        ("falling", {("base", "general"), ("annealed", "general")}),
        (
            "all",
            {(run, domain) for run in ("base", "annealed") for domain in ("general", "german")},
        ),
        ("none", set()),
    ],
)
def test_pretraining_option(study, card, option, expected):
    rows = make_rows(study, card(f'[law]\nshift = "power"\n[rows]\npretraining = "{option}"'))
    assert {k[:2] for k in row_keys(rows) if k[0] in study.pt_runs} == expected


def test_pretraining_leaves_out_its_start_and_its_warmup(study, card):
    for skip, first in ((0.0, 10), (0.1, 20), (0.45, 50)):
        text = f'[law]\nshift = "power"\n[rows]\nskip_pretraining = {skip}'
        steps = [k[2] for k in row_keys(make_rows(study, card(text))) if k[0] == "base"]
        assert min(steps) == first


def test_domains_option(study, card):
    text = '[law]\nshift = "power"\n[rows]\ndomains = "all"'
    rows = make_rows(study, card(text))
    assert rows.labels.domain == ("general", "german", "code")
    assert ("code", "german") in rows.labels.pair
    assert ("mix", "code", 40) in row_keys(rows)


def test_a_card_without_shift_takes_every_pretraining_domain(study):
    rows = make_rows(study, load_card("annealing"))
    assert {k[0] for k in row_keys(rows)} == {"base", "annealed"}
    assert rows.labels.domain == ("general", "german", "code")
    assert rows.labels.checkpoint == ()
    assert not rows.segment["is_cpt"].any()


PAPER = 'parameterisation = "paper"\n[law]\nshift = "power"\n'


def test_the_warmup_convention_is_the_cards(study, card):
    true, peak = (
        make_rows(study, card(f'warmup = "{kind}"\n{PAPER}')) for kind in ("true", "peak")
    )
    assert true.refs["area"] < peak.refs["area"] == pytest.approx(100 * 2e-3)
    # The reference is the furthest start checkpoint, under either convention.
    base = true.labels.checkpoint.index("base")
    for rows in (true, peak):
        assert rows.start["feature_log_area"][base] == pytest.approx(0.0, abs=1e-14)
        of_base = rows.segment["level"] // 2 == base
        np.testing.assert_allclose(rows.segment["log_area_start"][of_base], 0.0, atol=1e-14)


def test_start_checkpoints_stand_on_their_own_curve(study, card):
    """The paper's parameterisation ties the level to these."""
    made = card(PAPER)
    rows = make_rows(study, made)
    for c, name in enumerate(rows.labels.checkpoint):
        lr = study.lrs[name]
        log_area = np.log(lr.sum() / rows.refs["area"])
        assert rows.start["feature_log_area"][c] == pytest.approx(log_area)
        assert rows.start["feature_log_area_start"][c] == 0.0
        view = View(run_trajectory(study, name), np.array([lr.size]), rows.refs)
        seen = made.law.features(view, False)
        np.testing.assert_array_equal(rows.start["feature_anneal"][c], seen["anneal"][0])


@pytest.mark.parametrize("name", ["mpl_100m", "cpt_micro"])
def test_compression_is_exact_to_1e9(name):
    study = load_example(name)
    law = load_card("cpt_momentum").law
    refs = references(study, law)
    runs = [*study.cpt_runs, *study.pt_runs]
    basis = np.concatenate(
        [
            law.features(View(path, np.linspace(1, path.n_steps, 80).astype(int), refs), False)[
                "anneal"
            ]
            for path in (run_trajectory(study, run) for run in runs)
            if path.n_steps < 30_000
        ]
    )
    columns, mix = compress(basis)
    assert columns.shape[0] == mix.shape[0] < basis.shape[1]
    assert columns.flags.c_contiguous
    np.testing.assert_allclose(columns.T @ mix, basis, rtol=0, atol=1e-9 * np.abs(basis).max())


def test_compression_of_nothing_annealed():
    columns, mix = compress(np.zeros((5, 4)))
    assert columns.shape == (1, 5)
    assert not (columns.T @ mix).any()


def test_final_losses_only(study, card):
    last = study.curves["step"] == study.curves["run"].map(study.runs.set_index("run")["steps"])
    rows = make_rows(replace(study, curves=study.curves[last].reset_index(drop=True)), card())
    assert {k[2] for k in row_keys(rows)} == {40}
    assert np.all(rows.row["previous"] == np.arange(len(rows.loss)))


def test_a_study_without_cpt_curves_says_which_card_to_take(card):
    with pytest.raises(FitError, match=r"no continual pre-training run .* use card 'annealing'"):
        make_rows(load_example("mpl_25m"), card())


def test_no_row_at_all_is_an_error(card):
    runs = pd.DataFrame({"run": ["a"], "phase": ["pt"]})
    curves = pd.DataFrame({"run": ["a"], "step": [1], "domain": ["x"], "loss": [3.0]})
    study = Study.from_frames(curves, runs, {"a": np.full(50, 1e-3)})
    with pytest.raises(FitError, match=r"no row for card 'test'.*10% of its run"):
        make_rows(study, card("pt_only"))


def test_a_run_of_which_only_the_start_is_known_is_not_among_the_fitted(study, card):
    curves = study.curves[(study.curves["run"] != "mix") | (study.curves["step"] == 0)]
    rows = make_rows(replace(study, curves=curves.reset_index(drop=True)), load_card("cpt_replay"))
    assert "mix" not in rows.labels.run
    assert "pure" in rows.labels.run


def test_segments_know_how_far_their_run_warms_up_again(study, card):
    """Starts at LR 0 (annealed) and 2e-3 (base); peaks 1e-3 (pure) and 2e-3."""
    rows = make_rows(study, card("variants"))
    keys = row_keys(rows)
    seen = {
        keys[n][0]: (rows.segment["rise"][s], rows.segment["log_peak"][s])
        for n, s in enumerate(rows.row["segment"])
    }
    mean = rows.refs["rise"]
    assert mean == pytest.approx(0.375)
    expected = {"pure": (0.5 - mean, -np.log(2)), "mix": (-mean, 0.0), "replay": (1.0 - mean, 0.0)}
    for run, values in expected.items():
        np.testing.assert_allclose(seen[run], values, atol=1e-12, err_msg=run)
    assert seen["base"][0] == seen["annealed"][0] == 0.0
