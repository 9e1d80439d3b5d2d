"""Files of plans: what they say, and what is said of their defects."""

import numpy as np
import pandas as pd
import pytest

from bayescpt.data import Study, load_example, schedules
from bayescpt.errors import PlanError
from bayescpt.forecast.plan_file import read_plans
from bayescpt.model.card_file import load_card

WSD = 'schedule = "wsd"\nlr = 2e-3\nnum_training_steps = 100\nnum_decay_steps = 20\n'


@pytest.fixture(scope="module")
def study():
    return load_example("cpt_micro")


@pytest.fixture
def write(tmp_path):
    """Function that writes a file of plans and gives its path."""

    def write(text):
        path = tmp_path / "plans.toml"
        path.write_text(text)
        return path

    return write


def plan(lines="", name="a", schedule=WSD):
    return f'[[plan]]\nname = "{name}"\n{schedule}{lines}\n'


def test_plans_come_in_order_with_all_they_say(write, study):
    text = plan('replay_ratio = 0.3\nstart = "pt_r0"\ndomain = "german"') + plan(
        'start = "pt_r1"', "b"
    )
    first, second = read_plans(write(text), study)
    wsd = schedules.wsd(lr=2e-3, num_training_steps=100, num_decay_steps=20)
    assert first.schedule == wsd
    assert (first.name, first.replay_ratio, first.start, first.domain) == (
        "a",
        0.3,
        "pt_r0",
        "german",
    )
    assert (second.name, second.replay_ratio, second.start, second.domain) == (
        "b",
        None,
        "pt_r1",
        None,
    )


def test_rates_and_ratios_may_be_given_step_by_step(write):
    (made,) = read_plans(
        write(plan('start = "x"\nreplay_ratio = [0, 0.5, 1]', schedule="lr = [1e-3, 5e-4, 0]\n"))
    )
    np.testing.assert_array_equal(made.schedule.lr, [1e-3, 5e-4, 0])
    np.testing.assert_array_equal(made.replay_ratio, [0, 0.5, 1])


def test_pretraining_plans_need_no_start_where_nothing_else_is_studied(write, study):
    runs = pd.DataFrame({"run": ["p"], "phase": ["pt"], "steps": [3]})
    curves = pd.DataFrame({"run": "p", "step": [1, 3], "domain": "web", "loss": [4.0, 3.9]})
    lrs = pd.DataFrame({"run": "p", "step": [1, 2, 3], "lr": 1e-3})
    assert read_plans(write(plan()), Study.from_frames(curves, runs, lrs))[0].start is None
    (made,) = read_plans(write(plan("from_scratch = true")), study)
    assert made.start is None
    assert made.replay_ratio == 1.0


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a = ", ["cannot be read"]),
        ("", ["[[plan]]"]),
        ("plan = 3", ["[[plan]]"]),
        (f"goal = 3\n{plan()}", ["unknown key 'goal'"]),
        (f"[[plan]]\n{WSD}", ["plan 1", "'name'"]),
        (plan('start = "pt_r0"') * 2, ["plan 'a'", "'name'", "taken"]),
        (plan(), ["plan 'a'", "'start' is missing", "pt_r0"]),
        (plan('start = "pt"'), ["plan 'a'", "'start' = 'pt'", "pt_r0"]),
        (plan("start = 3"), ["plan 'a'", "'start'", "3"]),
        (plan('start = "pt_r0"\nfrom_scratch = true'), ["plan 'a'", "'start'", "from_scratch"]),
        (plan("from_scratch = 1"), ["plan 'a'", "'from_scratch'", "1"]),
        (plan('start = "pt_r0"\ndomain = "french"'), ["plan 'a'", "'domain'", "french", "german"]),
        (plan('start = "pt_r0"\nreplay_ratio = 25'), ["plan 'a'", "replay_ratio", "25", "0.25"]),
        (plan('start = "pt_r0"\nreplay_ratio = true'), ["plan 'a'", "'replay_ratio'", "True"]),
        (plan('start = "pt_r0"\nreplay_ratio = [0.1]'), ["plan 'a'", "replay_ratio", "shape"]),
        (plan('start = "pt_r0"\nreplay_ratio = []'), ["plan 'a'", "'replay_ratio'", "[]"]),
        (plan('start = "pt_r0"\nreplay = 0.2'), ["plan 'a'", "replay'", "replay_ratio"]),
        (plan('start = "pt_r0"', schedule=""), ["plan 'a'", "'schedule' is missing"]),
        (
            plan('start = "pt_r0"', schedule='schedule = "swd"\nlr = 1e-3\n'),
            ["plan 'a'", "'swd'", "wsd"],
        ),
        (
            plan('start = "pt_r0"', schedule=WSD.replace("2e-3", "-2e-3")),
            ["plan 'a'", "lr", "-0.002"],
        ),
        (
            plan('start = "pt_r0"\nnum_steps = 3', schedule="lr = [1e-3]\n"),
            ["plan 'a'", "unknown key 'num_steps'", "replay_ratio"],
        ),
        (plan('start = "pt_r0"', schedule='lr = ["x"]\n'), ["plan 'a'", "'lr'", "'x'"]),
        (plan('start = "pt_r0"\nn_params = "big"'), ["plan 'a'", "'n_params'", "'big'"]),
        (plan('start = "pt_r0"\nn_params = [1e6]'), ["plan 'a'", "'n_params'", "one number"]),
        (plan('start = "pt_r0"\nn_params = 0'), ["plan 'a'", "n_params", "above 0"]),
    ],
)
def test_defects_name_file_plan_and_key(write, study, text, parts):
    path = write(text)
    with pytest.raises(PlanError) as caught:
        read_plans(path, study)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert message.count(str(path)) == 1
    for part in parts:
        assert part in message
    assert "\n" not in message


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(PlanError, match=r"none\.toml: no such file"):
        read_plans(tmp_path / "none.toml")


# --- with the fitted card ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def one_base(study):
    return study.select(["de_r25_cos", "de_r0_wsd"])


def test_replay_in_pieces_and_shares_of_the_steps(write, study):
    text = plan(
        'start = "pt_r0"\nreplay_ratio = [[0, 0.1], [50, 0.5]]',
        schedule='schedule = "wsd"\nlr = 2e-3\nnum_training_steps = 100\n'
        "warmup_share = 0.1\ndecay_share = 0.2\n",
    )
    (made,) = read_plans(write(text), study, load_card("cpt_replay"))
    assert made.schedule == schedules.wsd(2e-3, 100, 10, 20)
    np.testing.assert_array_equal(made.replay_ratio, np.repeat([0.1, 0.5], 50))


def test_the_only_start_may_be_left_out(write, one_base):
    (made,) = read_plans(write(plan("replay_ratio = 0.2")), one_base, load_card("cpt_replay"))
    assert made.start is None  # the forecast fills it in, with a note


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (plan('start = "pt_r0"'), ["plan 'a'", "'replay_ratio' is missing"]),
        (plan(), ["plan 'a'", "'replay_ratio' is missing"]),
        (plan("from_scratch = true"), ["plan 'a'", "'from_scratch'", "cpt_replay"]),
        (plan("replay = 0.2"), ["plan 'a'", "'replay'", "did you mean 'replay_ratio'?"]),
        (plan("replay_rato = 0.2"), ["plan 'a'", "did you mean 'replay_ratio'?"]),
        (plan("warmup = 5"), ["plan 'a'", "did you mean 'num_warmup_steps'?"]),
        (plan('replay_ratio = 0.2\nparent = "pt_r0"'), ["plan 'a'", "did you mean 'start'?"]),
        (plan("replay_ratio = [[0, 0.1], [100, 0.5]]"), ["plan 'a'", "step 100, past the end"]),
        (plan("replay_ratio = [[5, 0.1]]"), ["plan 'a'", "from step 5", "from 0"]),
        (plan("replay_ratio = 0.2\ndecay_share = 0.1"), ["plan 'a'", "decay_share", "not both"]),
        (plan(schedule='schedule = "cosin"\nlr = 1e-3\n'), ["'cosin'", "did you mean 'cosine'?"]),
        ("[[plans]]\n" + WSD, ["[[plan]]"]),
    ],
)
def test_defects_for_a_card_name_file_plan_and_key(write, one_base, text, parts):
    path = write(text)
    with pytest.raises(PlanError) as caught:
        read_plans(path, one_base, load_card("cpt_replay"))
    message = str(caught.value)
    assert message.startswith(str(path))
    assert all(part in message for part in parts), message
    assert "\n" not in message


def test_a_card_without_replay_needs_no_ratio(write, one_base):
    (made,) = read_plans(write(plan('start = "pt_r0"')), one_base, load_card("cpt"))
    assert made.replay_ratio is None
