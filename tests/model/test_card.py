import json
from dataclasses import replace
from itertools import product

import pytest

from bayescpt.errors import CardError
from bayescpt.laws.noises import NOISES
from bayescpt.laws.term import TERMS, Setting
from bayescpt.model import folder
from bayescpt.model.card import Card
from bayescpt.model.card_file import load_card, parse_card, shipped_cards
from bayescpt.model.priors import DISTRIBUTIONS

HEAD = 'name = "mine"\ndescription = "A card."\n'
CPT = '[law]\nshift = "power"\nreplay = "own_share"\n'


def test_shipped_cards():
    pretraining = ("annealing", "annealing_mpl")
    others = ("cpt_fade_sizes", "cpt_momentum", "cpt_replay", "cpt_sizes", "cpt_targets")
    assert shipped_cards() == (*pretraining, "cpt", "cpt_fade", *others)
    cards = {name: load_card(name) for name in shipped_cards()}
    assert all(card.name == name and card.description for name, card in cards.items())
    assert [card.continual for card in cards.values()] == [False, False, *[True] * 7]
    replay = [card.choices["replay"] for card in cards.values()]
    assert replay == ["none", "none", "none", "fade", "fade", "memory", "memory", "fade", "fade"]
    annealing = [card.choices["annealing"] for card in cards.values()]
    assert annealing == [
        *("power", "multi_power", "momentum", "area", "area", "momentum", "area", "area", "area")
    ]


@pytest.mark.parametrize("name", ["cpt_sizes", "cpt_fade_sizes", "cpt_targets"])
def test_cards_for_several_sizes_or_targets_share_the_priors_of_cpt_fade(name):
    one, several = (load_card(card).to_dict()["priors"] for card in ("cpt_fade", name))
    shared = {key: prior for key, prior in several.items() if key in one}
    assert shared == {key: one[key] for key in shared}
    own = ("_common", "_between", "_slope") if name == "cpt_targets" else ("size_",)
    added = {key for key in several if key not in one}
    assert added == {key for key in several if any(mark in key for mark in own)}


def test_defaults_are_those_of_the_tables():
    card = parse_card(HEAD + CPT)
    assert card.parameterisation == "reference"
    assert card.warmup == "true"
    assert (card.pretraining, card.domains, card.family) == ("falling", "goals", "normal")
    assert (card.skip_pretraining, card.level_sd) == (0.1, 0.02)
    assert not any((card.early, card.ar1, card.domain_correlation, card.run_effects))
    assert set(card.priors) == {p.name for p in card.parameters()}
    for parameter in card.parameters():
        prior = card.priors[parameter.name]
        assert prior.reason == parameter.reason
        assert {"dist": prior.dist, **prior.args} == dict(parameter.default)


def names(text):
    return {p.name for p in parse_card(HEAD + text).parameters()}


PT = {"base_ref", "alpha_s1", "log_memory", "anneal_pt_ref", "level_pt", "sigma"}
SHIFT = {"anneal_ref", "shift_ref", "onset", "beta", "sigma_pt"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", PT),
        ('[law]\nshift = "power"', PT | SHIFT),
        (CPT, PT | SHIFT | {"replay_gamma", "replay_eps"}),
        (
            '[law]\nshift = "power"\nreplay = "exponential"',
            PT | SHIFT | {"replay_rate", "anneal_replay"},
        ),
        (
            '[law]\nshift = "power"\n[rows]\npretraining = "none"',
            (PT | SHIFT) - {"anneal_pt_ref", "level_pt", "sigma_pt"},
        ),
        ('[noise]\nfamily = "student_t"', PT | {"nu"}),
        ('[law]\nannealing = "area"', (PT - {"log_memory"}) | {"log_half", "kernel_shape"}),
        ('[law]\nshift = "power"\nrewarm = "own"', PT | SHIFT | {"rewarm_ref", "jump"}),
        (
            CPT.replace("own_share", "memory"),
            PT | SHIFT | {"share_kappa", "share_gamma", "shift_peak", "speed_peak"},
        ),
        ("[noise]\nearly = true", PT | {"early", "early_width"}),
        ("[noise]\nar1 = true", PT | {"corr_fraction"}),
        ("[noise]\ndomain_correlation = true", PT | {"domain_corr"}),
        ('[noise]\nrun_effects = ["level", "drift"]', PT),
        ('parameterisation = "paper"', {"L0", "A", "alpha_s1", "C1", "log_memory", "sigma"}),
        (
            'parameterisation = "paper"\n[law]\nshift = "power"\n[rows]\npretraining = "none"',
            {"L0", "A", "alpha_s1", "C1", "C2", "B", "E", "beta", "log_memory", "sigma"},
        ),
    ],
)
def test_parameters_are_those_of_the_components(text, expected):
    assert names(text) == expected


def test_every_parameter_can_be_on_a_card():
    """Of all registered terms under any setting, and of all noise models with all their parts."""
    settings = [Setting({}, *flags) for flags in product((False, True), repeat=3)]
    kinds = [kind for named in TERMS.values() for kind in named.values()]
    tables = {p.name for kind in kinds for setting in settings for p in kind(setting).parameters}
    tables |= {p.name for kind in NOISES.values() for p in kind(True, True, True).parameters}
    # One card a term, with what it needs, and one with every part of the noise.
    noise = '[noise]\nfamily = "student_t"\nearly = true\nar1 = true\ndomain_correlation = true\n'
    offered = names(CPT + noise)
    for slot, named in TERMS.items():
        for name, kind in named.items():
            chosen = dict.fromkeys(["shift"], "power") | {slot: name}
            law = "[law]\n" + "".join(f'{key} = "{value}"\n' for key, value in chosen.items())
            if slot == "targets":
                # What other terms have is pooled, if its prior is normal.
                law += '[priors]\nbeta = { dist = "LogNormal", mu = -1, sigma = 1, reason = "x" }\n'
                tables |= {p.name for p in kind(Setting(parse_card(HEAD + law).choices)).parameters}
            offered |= names(law)
            if kind.in_paper:
                offered |= names('parameterisation = "paper"\n' + law)
    assert offered == tables


def test_a_prior_of_the_card_replaces_the_default():
    text = HEAD + '[priors.alpha_s1]\ndist = "Gamma"\nalpha = 4\nbeta = 8\nreason = "a trial"\n'
    prior = parse_card(text).priors["alpha_s1"]
    assert str(prior) == "Gamma(alpha=4, beta=8)"
    assert prior.reason == "a trial"


PRIOR = "[priors.alpha_s1]\n"
GOOD = 'dist = "Normal"\nmu = 1.0\nsigma = 0.1\n'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("= 3", ["not valid TOML"]),
        ("color = 1", ["unknown color", "parameterisation", "warmup", "law", "priors"]),
        ('parameterisation = "raw"', ["'raw'", "reference, paper"]),
        ('warmup = "maybe"', ["'maybe'", "true, peak"]),
        ("law = 3", ["`law` must be a table [law]"]),
        ('[law]\nbase = "linear"', ["law.base = 'linear'", "power"]),
        ('[law]\nbase = ["power"]', ["law.base", "power"]),
        ('[law]\nannealing = "multi"', ["law.annealing = 'multi'", "momentum, area, power"]),
        ('[law]\nshift = "exp"', ["law.shift = 'exp'", "none, power"]),
        (
            '[law]\nshift = "power"\nreplay = "log"',
            ["'log'", "none, own_share, exponential, memory"],
        ),
        ('[law]\nreplay = "own_share"', ["law.replay = 'own_share' needs law.shift"]),
        ('[law]\nrewarm = "own"', ["law.rewarm = 'own' needs law.shift"]),
        ('[law]\ndrift = "x"', ["unknown drift", ", ".join(TERMS)]),
        (
            'parameterisation = "paper"\n[law]\nannealing = "area"',
            ["'momentum' only", "'area'"],
        ),
        ('[rows]\npretraining = "some"', ["'some'", "falling, all, none"]),
        ('[rows]\ndomains = "code"', ["'code'", "goals, all"]),
        ("[rows]\nskip_pretraining = 10", ["skip_pretraining = 10", "from 0 to 0.9"]),
        ("[rows]\nlevel_sd = nan", ["level_sd = nan", "from 1e-06 to 10"]),
        ("[rows]\nlevel_sd = true", ["level_sd = True"]),
        ("[rows]\nfirst = 3", ["unknown first", "pretraining", "skip_pretraining", "level_sd"]),
        ('[noise]\nfamily = "cauchy"', ["'cauchy'", "normal, student_t"]),
        ('[noise]\nar1 = "yes"', ["noise.ar1 = 'yes' must be true or false"]),
        ("[noise]\nwhite = true", ["unknown white", "family", "early", "ar1", "run_effects"]),
        ('[noise]\nrun_effects = ["slope"]', ["'slope'", "anneal, level, drift, shift"]),
        (
            '[noise]\nrun_effects = "level"',
            ["'level'", "must be a list", "anneal, level, drift, shift"],
        ),
        ("[noise]\nrun_effects = 5", ["run_effects = 5", "must be a list"]),
        ('[noise]\nrun_effects = ["level", "level"]', ["without repeats"]),
        (
            '[noise]\nrun_effects = ["shift"]',
            ["'shift', which no term of its law defines", "choose from anneal, level, drift"],
        ),
        (
            '[priors.shift_ref]\ndist = "Normal"\nmu = 0\nsigma = 1\nreason = "r"',
            ["unknown shift_ref", "base_ref, alpha_s1, log_memory"],
        ),
        ("[priors]\nalpha_s1 = 0.5", ["priors.alpha_s1 = 0.5 must be a table", "reason"]),
        (PRIOR + 'dist = "Cauchy"\nreason = "r"', ["'Cauchy'", ", ".join(DISTRIBUTIONS)]),
        (PRIOR + 'dist = ["Normal"]\nreason = "r"', ["['Normal']", ", ".join(DISTRIBUTIONS)]),
        (PRIOR + GOOD, ["priors.alpha_s1: `reason` is missing"]),
        (PRIOR + GOOD + 'reason = " "', ["`reason` is missing"]),
        (PRIOR + GOOD + 'reason = "r"\nnu = 3', ["mu, sigma (and lower, upper", "nu"]),
        (PRIOR + 'dist = "Gamma"\nalpha = 2\nreason = "r"', ["Gamma takes alpha, beta"]),
        (
            PRIOR + 'dist = "Gamma"\nalpha = 2\nbeta = 2\nlower = 1\nreason = "r"',
            ["Gamma takes alpha, beta;", "lower"],
        ),
        (PRIOR + GOOD.replace("1.0", '"one"') + 'reason = "r"', ["mu = 'one' is not a finite"]),
        (PRIOR + GOOD.replace("1.0", "inf") + 'reason = "r"', ["mu = inf is not a finite"]),
        (PRIOR + GOOD.replace("0.1", "0.0") + 'reason = "r"', ["sigma = 0.0 must be above 0"]),
        (
            PRIOR + GOOD + 'reason = "r"\nlower = 2\nupper = 1',
            ["lower = 2 is not below upper = 1"],
        ),
        (
            PRIOR + 'dist = "Normal"\nmu = 0.5\nsigma = 0.5\nreason = "r"',
            ["priors.alpha_s1: Normal(mu=0.5, sigma=0.5)", "15.87% of its mass outside 0..10"],
        ),
    ],
)
def test_every_defect_says_what_is_allowed(text, said):
    with pytest.raises(CardError) as caught:
        parse_card(HEAD + text, "mine.toml")
    assert str(caught.value).startswith("mine.toml")
    for fragment in said:
        assert fragment in str(caught.value)


@pytest.mark.parametrize("key", ["name", "description"])
def test_a_card_needs_a_name_and_a_description(key):
    text = "\n".join(line for line in HEAD.splitlines() if not line.startswith(key))
    with pytest.raises(CardError, match=f"`{key}` is missing"):
        parse_card(text)


def test_the_memory_may_not_leave_its_nodes_at_all():
    """Outside of the nodes the interpolation explodes, so .1% is too much there."""
    prior = '[priors.log_memory]\ndist = "Normal"\nmu = 6.0\nsigma = 0.8\nreason = "r"\n'
    with pytest.raises(CardError, match=r"log_memory.*outside 0.693147..8.51719"):
        parse_card(HEAD + prior)
    assert parse_card(HEAD + prior + "upper = 8.5\nlower = 0.7\n").priors["log_memory"].truncated


def test_a_file_works_where_a_name_does(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(HEAD + CPT, encoding="utf-8")
    by_path, by_text = load_card(path), load_card(str(path))
    assert by_path == by_text
    assert by_path.name == "mine"
    assert by_path == parse_card(HEAD + CPT)
    assert load_card(by_path) is by_path


NOT_PLAIN = {
    "student_t": {"family": "student_t"},
    "ar1": {"ar1": True},
    "domain_correlation": {"domain_correlation": True},
}
REFUSED = r"run_effects = \['level'\] require independent normal noise.*set run_effects = \[\]"


def toml(noise):
    """Table of the noise."""
    entries = [f"{key} = {json.dumps(value)}" for key, value in noise.items()]
    return "\n".join(["[noise]", *entries, ""])


@pytest.mark.parametrize("part", list(NOT_PLAIN))
def test_effects_of_runs_need_normal_independent_noise(part):
    noise = NOT_PLAIN[part]
    with pytest.raises(CardError, match=rf"^mine\.toml: .*{REFUSED}"):
        parse_card(HEAD + toml(noise | {"run_effects": ["level"]}), "mine.toml")
    assert not parse_card(HEAD + toml(noise)).plain_noise


@pytest.mark.parametrize("part", list(NOT_PLAIN))
def test_a_card_changed_in_python_needs_it_too(part):
    noise = NOT_PLAIN[part]
    with_effects = parse_card(HEAD + toml({"run_effects": ["level"]}))
    assert with_effects.plain_noise
    with pytest.raises(CardError, match=REFUSED):
        replace(with_effects, **noise)
    without = parse_card(HEAD + toml(noise))
    with pytest.raises(CardError, match=REFUSED):
        replace(without, run_effects=("level",))


def test_a_card_changed_in_python_needs_a_prior_of_every_parameter():
    card = parse_card(HEAD)
    with pytest.raises(CardError, match="'mine' has no prior for corr_fraction"):
        replace(card, ar1=True)
    with pytest.raises(CardError, match="'mine' has no prior for early, early_width"):
        replace(card, early=True)
    priors = {**card.priors, **parse_card(HEAD + "[noise]\nearly = true").priors}
    assert replace(card, early=True, priors=priors).early


def test_a_card_changed_in_python_needs_a_term_for_each_effect():
    with pytest.raises(
        CardError, match=r"'shift', which no term of its law defines; .*level, drift"
    ):
        replace(parse_card(HEAD), run_effects=("shift",))


@pytest.mark.parametrize("name", shipped_cards())
def test_a_card_comes_back_from_plain_values(name):
    card = load_card(name)
    # As a saved file holds them.
    values = json.loads(json.dumps(card.to_dict()))
    back = Card.from_dict(values)
    assert back == card
    assert back.parameters() == card.parameters()
    assert back.to_dict() == card.to_dict()


def test_a_changed_prior_comes_back():
    text = HEAD + '[priors.alpha_s1]\ndist = "Gamma"\nalpha = 4\nbeta = 8\nreason = "a trial"\n'
    card = parse_card(text)
    back = Card.from_dict(json.loads(json.dumps(card.to_dict())))
    assert back == card
    assert back.priors["alpha_s1"].reason == "a trial"
    assert str(back.priors["alpha_s1"]) == "Gamma(alpha=4, beta=8)"


def test_bounds_of_a_prior_and_a_paper_card_come_back():
    bounded = PRIOR + GOOD + 'reason = "r"\nlower = 0.5\nupper = 2.0\n'
    for text in (bounded, 'parameterisation = "paper"\nwarmup = "peak"\n' + CPT):
        card = parse_card(HEAD + text)
        assert Card.from_dict(json.loads(json.dumps(card.to_dict()))) == card


@pytest.mark.parametrize("key", list(load_card("cpt").to_dict()))
def test_plain_values_without_a_key_are_no_card(key):
    values = load_card("cpt").to_dict()
    del values[key]
    with pytest.raises(CardError, match=rf"^saved: missing or unknown {key}$"):
        Card.from_dict(values, "saved")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"color": 1}, "missing or unknown color"),
        ({"choices": {"shift": "exp"}}, r"law\.shift = 'exp'; allowed are none, power"),
        ({"choices": {"drift": "linear"}}, "no slot 'drift'; slots are"),
        ({"choices": {"shift": "none"}}, r"law\.rewarm = 'own' needs law\.shift"),
        ({"family": "cauchy"}, "noise model 'cauchy' is not registered"),
        ({"priors": {"beta": {"dist": "Cauchy", "reason": "r"}}}, r"priors\.beta.*'Cauchy'"),
    ],
)
def test_plain_values_of_another_version_are_no_card(changed, said):
    """Such as a term that was registered where the card was saved."""
    values = load_card("cpt_replay").to_dict()
    for key, value in changed.items():
        values[key] = {**values[key], **value} if isinstance(value, dict) else value
    with pytest.raises(CardError, match=f"^saved: .*{said}"):
        Card.from_dict(values, "saved")


def test_plain_values_need_a_prior_of_every_parameter():
    values = load_card("cpt").to_dict()
    del values["priors"]["onset"]
    with pytest.raises(CardError, match="no prior for onset"):
        Card.from_dict(values)


def test_an_error_in_a_file_names_it(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(HEAD + "color = 1", encoding="utf-8")
    with pytest.raises(CardError, match=r"mine\.toml: unknown color"):
        load_card(path)


def test_an_unknown_name_lists_the_cards():
    with pytest.raises(
        CardError,
        match=r"no card 'cpt_2': .* annealing, annealing_mpl, cpt, cpt_fade, cpt_fade_sizes",
    ):
        load_card("cpt_2")


def test_an_incomplete_installation_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(folder, "_PACKAGE", tmp_path / "bayescpt")
    with pytest.raises(CardError, match="no model cards in"):
        folder.cards_folder()
    (tmp_path / "models").mkdir()
    with pytest.raises(CardError, match="no model cards in"):
        folder.cards_folder()
    (tmp_path / "pyproject.toml").touch()
    assert folder.cards_folder() == tmp_path / "models"
    (tmp_path / "bayescpt" / "_cards").mkdir(parents=True)
    assert folder.cards_folder() == tmp_path / "bayescpt" / "_cards"
