"""What the compiled pass of a law takes."""

import pytest

from bayescpt.laws.law import DEFAULTS, Law
from bayescpt.laws.noises.normal import NormalNoise
from bayescpt.model.compiled.layout import layout, noise_code

BASE = [("level", "offset"), ("base", "base_ref"), ("base", "alpha"), ("annealing", "anneal_ref")]


def law(**choices):
    return Law(DEFAULTS | choices)


@pytest.mark.parametrize(
    ("made", "by", "fixed"),
    [
        (law(), BASE, []),
        (
            law(shift="power"),
            [*BASE, ("shift", "shift"), ("shift", "onset"), ("shift", "beta")],
            [],
        ),
        (
            law(shift="power", replay="own_share"),
            [*BASE, ("replay", "shift"), ("replay", "onset"), ("replay", "beta")],
            [],
        ),
        (
            law(shift="power", replay="memory", rewarm="own"),
            [*BASE, *(("replay", name) for name in ("shift", "onset", "beta", "gamma"))],
            [("replay", "keep")],
        ),
    ],
)
def test_coefficients_with_a_gradient_come_first_and_the_offset_before_all(made, by, fixed):
    plan = layout(made)
    assert list(plan.by) == by
    assert list(plan.fixed) == fixed
    assert plan.bases == ("anneal",)


def test_only_features_that_an_equation_of_rows_reads_are_taken():
    """The memory's coefficients read the peak LR and the offset reads the rise; no row does."""
    made = law(shift="power", replay="memory", rewarm="own")
    assert {"log_peak", "rise"} <= set(made.segment_features)
    plan = layout(made)
    assert plan.segment_features == ("log_area_start",)
    assert plan.row_features == ("log_area", "shift_area")


def test_a_law_is_derived_once():
    assert layout(law(shift="power")) is layout(law(shift="power"))
    assert layout(law(shift="power")) is not layout(law())


def test_noise_has_a_program_only_where_its_scale_changes_along_a_run():
    assert noise_code(NormalNoise()) == (("sigma",), None)
    names, code = noise_code(NormalNoise(early=True))
    assert names == ("sigma", "early", "early_width")
    assert len(code.outputs) == 3
