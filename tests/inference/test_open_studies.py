"""Four pilots from a base that nobody described: fits pass, and their bands hold."""

import numpy as np
import pytest

from tests.inference.open_studies import outcomes


@pytest.mark.slow
@pytest.mark.parametrize("first", [0, 100])
def test_bands_of_plans_four_times_as_long_as_the_pilots_hold(first):
    found = [one for _, one in outcomes(range(first, first + 10))]
    assert [one.failed for one in found] == [[]] * len(found)
    # The ends of one study err together: ten studies count as about twenty independent ends.
    margin = 2.0 * np.sqrt(0.9 * 0.1 / 20)
    assert np.mean([one.inside.mean() for one in found]) > 0.9 - margin
    # The control: bands of the law alone, whose law is not that of the simulation, hold too few.
    assert np.mean([one.inside_mu.mean() for one in found]) < 0.85
    assert np.mean([one.width.mean() for one in found]) < 0.8
