"""Every parameter that a registered term or noise model brings, under every setting."""

import itertools

import pytest

from bayescpt.laws.law import DEFAULTS, Law, choices_of
from bayescpt.laws.noises import NOISES
from bayescpt.laws.term import TERMS, Setting
from bayescpt.model.priors import parse_prior

FLAGS = list(itertools.product((False, True), repeat=3))


# Slots whose terms know nothing of the others: each choice meets each of theirs, not all at once.
APART = ("annealing", "size")


def laws():
    """Choices of laws that registered terms make up."""
    for names in itertools.product(*map(choices_of, TERMS)):
        choices = dict(zip(TERMS, names, strict=True))
        unlike = {slot for slot, name in choices.items() if name != DEFAULTS.get(slot, "none")}
        if unlike.intersection(APART) and len(unlike) > 2:
            continue
        kinds = [TERMS[slot].get(name) for slot, name in choices.items()]
        chosen = [kind for kind in kinds if kind is not None]
        continual = choices["shift"] != "none"
        if all(choices.get(kind.extends or "base", "none") != "none" for kind in chosen) and (
            continual or all(kind.phases != ("cpt",) for kind in chosen)
        ):
            yield choices


LAWS = list(laws())
# Flags of a setting: paper, pretraining, continual.
OF_TERMS = {
    (slot, name, parameter.name, str(flags)): parameter
    for slot, kinds in TERMS.items()
    for name, kind in kinds.items()
    for flags in FLAGS
    for parameter in kind(Setting({**DEFAULTS, slot: name}, *flags)).parameters
}
# Parts of the noise (early, ar1, domain_correlation) and phases.
OF_NOISE = {
    (name, parameter.name): parameter
    for name, kind in NOISES.items()
    for parts in FLAGS
    for phases in itertools.product((False, True), repeat=2)
    for parameter in kind(*parts, *phases).parameters
}
LAW_PARAMETERS = list({id(p): p for p in OF_TERMS.values()}.values())
ALL = list({id(p): p for p in (*OF_TERMS.values(), *OF_NOISE.values())}.values())


def test_they_were_found():
    assert len(ALL) > 25
    assert {slot for slot, *_ in OF_TERMS} == set(TERMS)
    assert {name for name, _ in OF_NOISE} == set(NOISES)
    assert len(LAWS) > 25
    chosen = [{k: v for k, v in law.items() if k in DEFAULTS or v != "none"} for law in LAWS]
    assert DEFAULTS in chosen


@pytest.mark.parametrize("parameter", ALL, ids=lambda p: p.name)
def test_parameter_is_documented_and_its_default_prior_is_inside_its_range(parameter):
    assert parameter.symbol
    assert parameter.unit
    assert parameter.source
    assert set(parameter.dims) <= {"domain", "pair", "other", "side", "sized"}
    prior = parse_prior({**parameter.default, "reason": parameter.reason}, parameter.name)
    frozen = prior.frozen()
    assert frozen.cdf(parameter.lower) + frozen.sf(parameter.upper) < 1e-3
    assert prior.outside(parameter.lower, parameter.upper) <= parameter.outside
    if parameter.start is not None:
        assert parameter.lower < parameter.start < parameter.upper


@pytest.mark.parametrize("parameter", LAW_PARAMETERS, ids=lambda p: p.name)
def test_a_pilot_run_would_tell_every_parameter_of_the_law(parameter):
    assert parameter.advice.question
    assert parameter.advice.changes
    assert all(change.__module__ == "bayescpt.laws.pilots" for change in parameter.advice.changes)


@pytest.mark.parametrize("paper", [False, True])
@pytest.mark.parametrize("choices", LAWS, ids=lambda c: "-".join(c.values()))
def test_a_law_has_every_parameter_once_and_knows_its_unit_and_dimensions(choices, paper):
    for pretraining in (False, True):
        law = Law(choices, paper, pretraining)
        names = [parameter.name for parameter in law.parameters]
        assert len(set(names)) == len(names)
        for parameter in law.parameters:
            assert law.dims[parameter.name] == parameter.dims
            assert law.units[parameter.name] == parameter.unit
        assert any(law.uses(name, is_target) for name in names for is_target in (False, True))


@pytest.mark.parametrize("choices", LAWS, ids=lambda c: "-".join(c.values()))
def test_names_of_noise_and_law_differ(choices):
    law = {parameter.name for parameter in Law(choices).parameters}
    assert not law & {name for _, name in OF_NOISE}
    assert not {parameter.name for parameter in Law(choices, paper=True).parameters} & {
        name for _, name in OF_NOISE
    }
