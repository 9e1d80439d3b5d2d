"""What the fleet says of populations of targets, from estimates that are known."""

import numpy as np
import pytest

from bayescpt.model.card_file import load_card
from case_studies.learn_priors import BEYOND, SIZES, TARGETS, Population, entries_of
from case_studies.learn_targets import excesses, fleet, targets_priors
from case_studies.leave_out_target import card_without, joint_study, without

CARD = load_card("cpt_fade")
SLOPE = 0.8


@pytest.fixture(scope="module")
def studies():
    return fleet()


@pytest.fixture(scope="module")
def known(studies) -> Population:
    """Estimates whose shifts follow the start losses but for .1, and whose others are 0.4 apart."""
    entries = entries_of(CARD)
    names = [entry.parameter.name for entry in entries]
    x = excesses(studies)
    apart = np.array([-1.0, 1.0, 1.0, -1.0])
    # Apart from what the covariate says, with a root mean square of 1.
    left = apart - x * (x @ apart) / (x @ x)
    left /= np.sqrt(np.mean(left**2))
    by_target = np.zeros((len(TARGETS), len(names)))
    for k, name in enumerate(names):
        center = 1.5 if name != "shift_ref" or not entries[k].target else -2.0
        if name == "shift_ref":
            by_target[:, k] = center * (1.0 + SLOPE * x + 0.1 * left)
        else:
            by_target[:, k] = center + 0.4 * apart
    by_study = np.repeat(by_target, len(SIZES), axis=0)
    sizes = np.zeros((len(by_study), 2, 3))
    return Population(entries, by_study.mean(axis=0), by_study.std(axis=0), by_study, sizes)


def test_slope_and_spreads_are_those_of_the_estimates(known, studies):
    sigma = dict.fromkeys((p.name for p in CARD.parameters()), 2.0)
    found = targets_priors(known, studies, sigma)
    assert found["shift_ref_slope"]["mu"] == pytest.approx(SLOPE, abs=1e-3)
    left = np.exp(found["shift_ref_between"]["mu"])
    # Mean and slope take two of four degrees of freedom.
    assert left == pytest.approx(0.1 * np.sqrt(2.0) * BEYOND, rel=0.01)
    # A part of .4 sqrt(4/3) 1.25 / 2 of the prior's standard deviation.
    part = BEYOND * 0.4 * np.sqrt(4 / 3) / 2.0
    q = part / np.sqrt(1 - part**2)
    assert np.exp(found["onset_between"]["mu"]) == pytest.approx(q, rel=0.01)
    # Negative control: without the covariate shifts differ by more.
    alone = targets_priors(known, studies, sigma, covariate=False)
    assert np.exp(alone["shift_ref_between"]["mu"]) > 2.0 * left
    assert "shift_ref_slope" not in alone


def test_a_card_without_a_target_does_not_know_it(known):
    rest = without(known, "german")
    assert rest.by_study.shape[0] == 3 * len(SIZES)
    before = card_without(known, "german", "regressed").to_dict()
    moved = known.by_study.copy()
    moved[TARGETS.index("german") * len(SIZES) : (TARGETS.index("german") + 1) * len(SIZES)] += 9.0
    other = Population(known.entries, moved.mean(axis=0), moved.std(axis=0), moved, known.sizes)
    assert card_without(other, "german", "regressed").to_dict() == before
    assert card_without(other, "code", "regressed").to_dict() != before


def test_targets_of_one_size_are_one_study():
    study = joint_study("100k")
    assert study.targets == TARGETS
    assert len(study.pt_runs) == 8
    for name in study.cpt_runs:
        assert name.startswith(f"{study.run(name).domain}/")
    assert study.checkpoint_loss("pt3k_r0", "german") > study.checkpoint_loss("pt3k_r0", "code")
    assert set(study.curves.loc[study.curves["run"] == "code/r0_wsd", "domain"]) == {
        "general", "code",
    }  # fmt: skip
