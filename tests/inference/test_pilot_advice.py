"""What the priors carry is said as a run that would tell."""

import pytest

from bayescpt.inference.checks import pilot_advice
from bayescpt.model.card_file import load_card, shipped_cards


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("share_gamma[general|german]", "the replay response: add a run at another replay ratio"),
        ("speed_peak", "another peak LR"),
        ("jump[general|german]", "another start checkpoint"),
        ("log_half", "LR decays"),
        ("alpha_s1[german]", "a longer run"),
    ],
)
def test_a_parameter_asks_for_the_run_that_pins_it_down(name, part):
    [advice] = pilot_advice([name])
    assert part in advice
    assert advice.startswith("the pilots do not pin down")


def test_one_sentence_a_kind_of_run_and_none_for_noise():
    names = ["sigma[general]", "replay_eps[a|b]", "replay_gamma[a|b]", "shift_peak", "nu"]
    assert len(pilot_advice(names)) == 2
    assert pilot_advice(["early[general]"]) == []


@pytest.mark.parametrize("card", shipped_cards())
def test_every_parameter_of_a_law_has_advice(card):
    noise = {"sigma", "sigma_pt", "nu", "early", "early_width", "corr_fraction", "domain_corr"}
    for parameter in load_card(card).parameters():
        assert bool(pilot_advice([parameter.name])) == (parameter.name not in noise)
