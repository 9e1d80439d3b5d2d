"""What the priors carry is said as a run that would tell."""

import pytest

from bayescpt.inference.checks import pilot_advice
from bayescpt.model.card_file import load_card, parse_card, shipped_cards

CARD = load_card("cpt_replay")
OWN_SHARE = parse_card(
    'name = "own"\ndescription = "Chained."\n[law]\nshift = "power"\nreplay = "own_share"\n'
    '[noise]\nfamily = "student_t"\nearly = true\nar1 = true'
)


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
def test_a_parameter_asks_for_the_run_that_determines_it(name, part):
    [advice] = pilot_advice([name], CARD)
    assert part in advice
    assert advice.startswith("the pilots do not determine")


def test_one_sentence_a_kind_of_run_and_none_for_noise():
    names = ["sigma[general]", "replay_eps[a|b]", "replay_gamma[a|b]", "onset[a|b]", "nu"]
    assert len(pilot_advice(names, OWN_SHARE)) == 2
    assert pilot_advice(["early[general]"], OWN_SHARE) == []


@pytest.mark.parametrize("card", shipped_cards())
def test_every_parameter_of_a_law_has_advice(card):
    noise = {"sigma", "sigma_pt", "nu", "early", "early_width", "corr_fraction", "domain_corr"}
    read = load_card(card)
    for parameter in read.parameters():
        assert bool(pilot_advice([parameter.name], read)) == (parameter.name not in noise)
