"""Labels name the unit of the losses that they are about."""

import pytest

from bayescpt.data.units import UNIT_NAMES, check_loss_unit, loss_label, unit_name


@pytest.mark.parametrize(("unit", "name"), UNIT_NAMES.items())
def test_known_units_have_a_name(unit, name):
    check_loss_unit(unit)
    assert unit_name(unit) == name
    assert loss_label(unit) == f"loss ({name})"


def test_a_label_claims_no_unit_that_is_not_known():
    assert loss_label(None) == "loss"
    assert loss_label(None, "german") == "german loss"
    assert loss_label("bit/character") == "loss (bit/character)"
