"""Cards that extend another: what they take over, what they change, and errors."""

import pytest

from bayescpt.errors import CardError
from bayescpt.model.card_file import load_card, parse_card
from bayescpt.model.final_card import load_final_card

HEAD = 'name = "mine"\ndescription = "A card of a test."\n'
PRIOR = '{ dist = "Normal", mu = 0.5, sigma = 0.1, reason = "of a test" }'


def test_a_card_changes_what_it_names_and_takes_over_the_rest():
    shipped = load_card("cpt_fade")
    card = parse_card(f'{HEAD}extends = "cpt_fade"\n[priors]\nshift_peak = {PRIOR}\n')
    assert (card.name, card.description) == ("mine", "A card of a test.")
    assert card.priors["shift_peak"].args == {"mu": 0.5, "sigma": 0.1}
    others = {name: prior for name, prior in shipped.priors.items() if name != "shift_peak"}
    assert {name: card.priors[name] for name in others} == others
    for field in ("choices", "family", "run_effects", "level_sd", "pretraining"):
        assert getattr(card, field) == getattr(shipped, field)


def test_a_prior_replaces_the_whole_prior():
    # The shipped one is truncated.
    assert "lower" in load_card("cpt_fade").priors["log_half"].args
    card = parse_card(f'{HEAD}extends = "cpt_fade"\n[priors]\nlog_half = {PRIOR}\n')
    assert card.priors["log_half"].args == {"mu": 0.5, "sigma": 0.1}


def test_priors_of_parameters_that_another_law_lacks_are_left_behind():
    card = parse_card(f'{HEAD}extends = "cpt_fade"\n[law]\nreplay = "memory"\n')
    assert card.choices["replay"] == "memory"
    assert "share_size" not in card.priors
    with pytest.raises(CardError, match=r"card: \[priors\]: unknown share_size") as caught:
        parse_card(
            f'{HEAD}extends = "cpt_fade"\n[law]\nreplay = "memory"\n[priors]\nshare_size = {PRIOR}'
        )
    # What is allowed are the parameters of this law, not what was left behind.
    assert "share_kappa" in str(caught.value)
    assert "keep_power" not in str(caught.value)


def test_files_extend_files_beside_them(tmp_path, monkeypatch):
    (tmp_path / "cards").mkdir()
    (tmp_path / "cards" / "base.toml").write_text(f'{HEAD}extends = "cpt_fade"\nwarmup = "peak"\n')
    path = tmp_path / "cards" / "mine.toml"
    path.write_text(f'{HEAD}extends = "base.toml"\n[rows]\nlevel_sd = 0.01\n')
    monkeypatch.chdir(tmp_path)
    card = load_card(path)
    assert (card.warmup, card.level_sd) == ("peak", 0.01)
    assert card.priors == load_card("cpt_fade").priors


@pytest.mark.parametrize(
    ("base", "extends", "message"),
    [
        ("", '"nothing"', r"mine\.toml: extends: no card 'nothing'.*cpt_fade"),
        ("", "3", r"mine\.toml: extends = 3 must be a card's name or a TOML file"),
        ("", '"mine.toml"', r"mine\.toml: extends = 'mine\.toml': a card cannot extend itself"),
        ('extends = "mine.toml"', '"base.toml"', r"base\.toml: extends = .* cannot extend itself"),
        ("color = 3", '"base.toml"', r"base\.toml: unknown color"),
        (f"[priors]\nshift_peek = {PRIOR}", '"base.toml"', r"base\.toml: \[priors\]: unknown"),
        ('law = "power"', '"base.toml"', r"base\.toml: `law` must be a table \[law\]"),
    ],
)
def test_errors_name_the_file(tmp_path, base, extends, message):
    (tmp_path / "base.toml").write_text(HEAD + base)
    (tmp_path / "mine.toml").write_text(f"{HEAD}extends = {extends}\n")
    with pytest.raises(CardError, match=message):
        load_card(tmp_path / "mine.toml")


def test_a_card_has_a_name_of_its_own():
    with pytest.raises(CardError, match="`name` is missing"):
        parse_card('description = "A card of a test."\nextends = "cpt_fade"')


def test_cards_of_final_losses_extend_too(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(f'{HEAD}extends = "dcpt"\n[law]\nlr = false\n')
    card, shipped = load_final_card(path), load_final_card("dcpt")
    assert (card.law_name, card.lr) == ("dcpt", False)
    kept = set(card.priors)
    assert kept < set(shipped.priors)
    assert card.priors == {name: shipped.priors[name] for name in kept}
