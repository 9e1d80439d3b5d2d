"""What the priors carry is said as a run that would tell, and that run can be pasted."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import bayescpt as bc
from bayescpt.data import Schedule, Study, load_example, schedules
from bayescpt.data.schedules.recognise import recognise
from bayescpt.forecast.plan import plan_trajectory
from bayescpt.forecast.plan_file import read_plans
from bayescpt.forecast.plan_text import plan_text
from bayescpt.inference.advice import pilot_advice, study_pilots
from bayescpt.laws.pilots import another_start
from bayescpt.laws.trajectory import run_trajectory
from bayescpt.model.card_file import load_card, parse_card, shipped_cards
from bayescpt.model.rows import make_rows

CARD = load_card("cpt_replay")
OWN_SHARE = parse_card(
    'name = "own"\ndescription = "Chained."\n[law]\nshift = "power"\nreplay = "own_share"\n'
    '[noise]\nfamily = "student_t"\nearly = true\nar1 = true'
)
NAMES = {
    "replay": "share_gamma[general|german]",
    "peak": "speed_peak",
    "start": "jump[general|german]",
    "decay": "log_half",
    "length": "alpha_s1[german]",
    "onset": "onset[german|german]",
}


def pilots(lrs, replays=None, starts=None, dense=False):
    """Pilots from one or several bases, which end at these LRs."""
    bases = starts or {"base": 0.0}
    replays = replays or [0.25] * len(lrs)
    runs = [{"run": name, "phase": "pt"} for name in bases]
    rates = {name: np.linspace(2e-3, end, 100) for name, end in bases.items()}
    curves = []
    for k, (lr, ratio) in enumerate(zip(lrs, replays, strict=True)):
        name = f"run{k}"
        runs.append({"run": name, "phase": "cpt", "parent": next(iter(bases)), "domain": "german",
                     "replay_ratio": ratio})  # fmt: skip
        rates[name] = lr
        steps = np.arange(0, lr.n_steps + 1, 5 if dense else 100)
        curves += [
            pd.DataFrame({"run": name, "step": steps, "domain": domain, "loss": 3.0})
            for domain in ("general", "german")
        ]
    study = Study.from_frames(pd.concat(curves), pd.DataFrame(runs), rates, general="general")
    return study, study_pilots(study, CARD, make_rows(study, CARD))


COSINE = schedules.cosine(2e-3, 1000, 30)
FLAT = schedules.constant_with_warmup(2e-3, 1000, 30)
WSD = schedules.wsd(2e-3, 1000, 30, 200)


def advised(kind, given, card=CARD):
    [one] = pilot_advice([NAMES[kind]], card, given)
    assert one.sentence.startswith("the pilots do not determine")
    return one


def read(one, study, tmp_path):
    """The plan of an advice, pasted into a file and read back."""
    file = tmp_path / "plans.toml"
    file.write_text(one.plan)
    [plan] = read_plans(file, study)
    return plan


@pytest.mark.parametrize(
    ("kind", "part"),
    [
        ("replay", "the replay response: add a run at another replay ratio"),
        ("peak", "another peak LR"),
        ("start", "another start checkpoint"),
        ("decay", "LR"),
        ("length", "a longer run"),
        ("onset", "the onset of the shift"),
    ],
)
def test_a_parameter_asks_for_the_run_that_determines_it(kind, part):
    study = bc.load_example("cpt_micro").drop(["de_r25_wsd_lp1", "de_r25_wsd_lp0.1"])
    given = study_pilots(study, CARD, make_rows(study, CARD))
    assert part in advised(kind, given).sentence


def test_one_base_leaves_no_other_start_checkpoint():
    """The wrong answer: "add a run from another start checkpoint" where there is one base."""
    _, given = pilots([COSINE, WSD])
    assert another_start(given) is None
    one = advised("start", given)
    assert "start checkpoint" not in one.sentence
    assert "the re-warm-up: add a run at another peak LR" in one.sentence
    _, several = pilots([COSINE, WSD], starts={"base": 0.0, "hot": 2e-3, "same": 0.0})
    assert "start 'hot' in place of 'base'" in advised("start", several).sentence


@pytest.mark.parametrize(
    ("lrs", "part"),
    [
        ([COSINE, WSD], "add a run whose LR stays constant"),
        ([FLAT, FLAT], "add a run whose LR decays, such as run0 with a linear decay to 0"),
        ([FLAT, WSD], "add a run whose LR decays over another part of it"),
    ],
)
def test_a_run_that_decays_is_asked_for_only_where_it_is_missing(lrs, part):
    """The wrong answer: "add a run whose LR decays" where all do."""
    _, given = pilots(lrs)
    assert part in advised("decay", given).sentence


def test_the_ratio_and_the_peak_are_new():
    _, given = pilots([COSINE] * 4, replays=[0.0, 0.1, 0.25, 0.5])
    assert "replay ratio 0.75" in advised("replay", given).sentence
    _, given = pilots([COSINE, Schedule(0.5 * COSINE.lr, "half")])
    assert "peak LR 0.0005 in place of 0.002" in advised("peak", given).sentence


def test_an_early_look_is_asked_for_where_nobody_looked():
    _, given = pilots([COSINE, WSD])
    assert "evaluated every 10 steps up to step 100" in advised("onset", given).sentence
    _, dense = pilots([COSINE, WSD], dense=True)
    assert "another peak LR" in advised("onset", dense).sentence


@pytest.mark.parametrize("kind", NAMES)
def test_the_pasted_plan_is_a_pilot_with_one_change(kind, tmp_path):
    study, given = pilots([WSD, COSINE], starts={"base": 0.0, "hot": 2e-3})
    one = advised(kind, given)
    plan = read(one, study, tmp_path)
    path, like = plan_trajectory(plan, study), run_trajectory(study, "run0")
    changed = {
        "replay": path.replay[0] != like.replay[0],
        "start": path.start != like.start,
        "lr": path.n_steps != like.n_steps or np.abs(path.lr - like.lr).max() > 1e-2 * 2e-3,
    }
    # An early look repeats the run.
    assert sum(changed.values()) == (0 if kind == "onset" else 1)
    assert plan.name not in study
    assert plan.domain == "german"
    assert str(one) == f"{one.sentence}\n{one.plan}"


@pytest.mark.parametrize("card", shipped_cards())
@pytest.mark.parametrize("name", ["cpt_micro", "mpl_25m"])
def test_all_advice_on_a_real_study_can_be_pasted(card, name, tmp_path):
    study, read_card = bc.load_example(name), load_card(card)
    if read_card.continual and not study.cpt_runs:
        pytest.skip("nothing to fit")
    given = study_pilots(study, read_card, make_rows(study, read_card))
    names = [parameter.name for parameter in read_card.parameters()]
    found = pilot_advice(names, read_card, given)
    assert found
    file = tmp_path / "plans.toml"
    file.write_text("\n\n".join(one.plan for one in found if one.plan))
    own = None if not read_card.continual else study
    plans = read_plans(file, own)
    assert len(plans) == sum(bool(one.plan) for one in found)


def test_one_entry_a_run_and_none_for_noise():
    _, given = pilots([COSINE, WSD], dense=True)
    both = pilot_advice([NAMES["start"], NAMES["peak"], "sigma[general]"], CARD, given)
    assert len(both) == 1
    assert "the re-warm-up and the effect of the peak LR" in both[0].sentence
    names = ["sigma[general]", "replay_eps[a|b]", "replay_gamma[a|b]", "onset[a|b]", "nu"]
    assert len(pilot_advice(names, OWN_SHARE, None)) == 2
    assert pilot_advice(["early[general]"], OWN_SHARE, given) == []


@pytest.mark.parametrize("card", shipped_cards())
def test_every_parameter_of_a_law_has_advice(card):
    noise = {"sigma", "sigma_pt", "nu", "early", "early_width", "corr_fraction", "domain_corr"}
    noise.add("run_sd")
    read_card = load_card(card)
    for parameter in read_card.parameters():
        found = pilot_advice([parameter.name], read_card, None)
        assert bool(found) == (parameter.name not in noise)


# schedules as text


@pytest.mark.parametrize(
    "made",
    [
        schedules.constant(1e-3, 40),
        FLAT,
        COSINE,
        schedules.cosine(1e-3, 1000, 50, num_decay_steps=500, min_lr_ratio=0.1),
        schedules.linear(1e-3, 777),
        WSD,
        schedules.wsd(1e-3, 1000, 10, 100, decay_type="1-sqrt"),
        schedules.wsd(1e-3, 1000, 10, 100, decay_type="geometric", min_lr_ratio=0.1),
        schedules.wsd(1e-3, 1000, 10, 300, decay_type="exponential", warmup_init_lr=1e-4),
        Schedule(np.append(WSD.lr, 0.0), "to 0 itself"),
        Schedule(np.repeat([1e-3, 3e-4], 100), "a step"),
        schedules.piecewise([(9, "linear", 0.0, 1e-3), (90, "constant", 2e-3, 2e-3)]),
    ],
    ids=lambda made: made.name,
)
def test_a_schedule_is_recognised(made):
    name, arguments = recognise(made.lr)
    again = schedules.from_name(name, **arguments).lr
    np.testing.assert_allclose(again, made.lr, atol=2e-3 * made.peak_lr)


def test_what_no_constructor_gives_is_written_out(tmp_path):
    rng = np.random.default_rng(1)
    study, given = pilots([Schedule(rng.uniform(1e-4, 1e-3, 200), "noise")])
    path = replace(given.runs[0], name="again", replay=np.linspace(0.0, 0.5, 200))
    file = tmp_path / "plans.toml"
    file.write_text(plan_text(path))
    [plan] = read_plans(file, study)
    np.testing.assert_allclose(plan.schedule.lr, path.lr)
    np.testing.assert_allclose(plan.replay_ratio, path.replay)


def test_replay_in_pieces_comes_back_exactly(tmp_path):
    study = load_example("cpt_micro")
    schedule = bc.schedules.cosine(2e-3, 300)
    for ratio, written in (
        ([(0, 0.1), (100, 0.5), (299, 0.25)], "[[0, 0.1], [100, 0.5], [299, 0.25]]"),
        (np.linspace(0.1, 0.9, 300), "[0.1, "),
        (0.3, "0.3\n"),
    ):
        plan = bc.Plan("p", schedule, ratio, start="pt_r0", domain="german")
        path = plan_trajectory(plan, study)
        text = plan_text(path)
        assert f"replay_ratio = {written}" in text
        (tmp_path / "plans.toml").write_text(text)
        [again] = read_plans(tmp_path / "plans.toml", study)
        np.testing.assert_array_equal(plan_trajectory(again, study).replay, path.replay)
